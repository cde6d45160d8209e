"""Blocks, trees and followers for tests: proofs are not looked at, all else is real."""

from dataclasses import replace
from fractions import Fraction
from hashlib import blake2b
from typing import Any

from logos_chain.core.consensus.epochs import genesis_state
from logos_chain.core.consensus.follower import Accepted, Effect, Follower, Rejected, Verify
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId, Candidate, Header, SignedHeader

NOON = 10**15
"""A time at which every slot of these tests has begun."""
CLOCK = SlotClock(0, 1000)
GENESIS = BlockId(blake2b(b"genesis", digest_size=32).digest())
ROOT = bytes(32)
SMALL = Parameters(
    "small",
    slot_ms=1000,
    activation=Fraction(1, 2),
    security_blocks=2,
    learning_rate=Fraction(1),
    uncle_window_blocks=1,
    prolonged_bootstrap_ms=0,
    density_window_slots=3,
)
TWENTY = replace(
    SMALL, name="twenty", security_blocks=20, uncle_window_blocks=12, density_window_slots=10
)


def identified(text: str) -> BlockId:
    return BlockId(blake2b(text.encode(), digest_size=32).digest())


def field(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=31).digest() + b"\0"


def signed(name: str, parent: bytes, slot: int, **changes: Any) -> SignedHeader:
    header = Header(
        id=identified(name),
        version=1,
        parent=BlockId(parent),
        slot=slot,
        body_root=ROOT,
        voucher=field(f"voucher {name}"),
        entropy=field(f"entropy {name}"),
        proof=bytes(128),
        leader_key=identified(f"key {name}"),
    )
    return SignedHeader(replace(header, **changes), bytes(64))


def candidate(name: str, parent: bytes, slot: int, **changes: Any) -> Candidate:
    uncles = changes.pop("uncles", ())
    return Candidate(signed(name, parent, slot, **changes), 0, 0, ROOT, uncles)


def genesis_block(total_stake: int = 1000) -> TreeBlock:
    return TreeBlock(
        GENESIS, BlockId(bytes(32)), 0, genesis_state(bytes(32), bytes(32), total_stake), b""
    )


def new_tree(parameters: Parameters = SMALL, **bounds: int) -> BlockTree:
    return BlockTree(genesis_block(), keep_slots=parameters.uncle_window_slots, **bounds)


def new_follower(
    parameters: Parameters = SMALL, rule: Rule = Rule.BOOTSTRAP, **bounds: int
) -> Follower:
    return Follower(parameters, CLOCK, new_tree(parameters, **bounds), rule=rule)


def deliver(follower: Follower, block: Candidate, source: str = "a") -> list[Effect]:
    """Gives a block, and says of all that is to be verified that it is valid."""
    return settle(follower, follower.received(block, source, NOON))


def settle(follower: Follower, effects: list[Effect]) -> list[Effect]:
    told: list[Effect] = []
    waiting = list(effects)
    while waiting:
        effect = waiting.pop(0)
        told.append(effect)
        if isinstance(effect, Verify):
            block = effect.candidate.header.id
            waiting += follower.verified(block, field(f"ledger {block.hex()}"), NOON)
    return told


def chain(name: str, parent: bytes, slots: "range | list[int]", **changes: Any) -> list[Candidate]:
    """Makes blocks that follow one another: name-0, name-1, ..."""
    made: list[Candidate] = []
    for number, slot in enumerate(slots):
        made.append(candidate(f"{name}-{number}", parent, slot, **changes))
        parent = made[-1].header.id
    return made


def outcomes(effects: list[Effect]) -> dict[BlockId, str]:
    """What became of blocks: ACCEPTED, or the reason."""
    found: dict[BlockId, str] = {}
    for each in effects:
        if isinstance(each, Accepted):
            found[each.block.id] = "ACCEPTED"
        elif isinstance(each, Rejected):
            found[each.block] = each.reason
    return found
