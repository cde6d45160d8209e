"""Blocks as nodes send them, with real bodies, and nodes that take them without proofs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from chain_blocks import TWENTY
from chain_ledger import ALICE, PARAMETERS, contents, genesis, named, outputs_of, signed
from chain_memory import MemoryStore
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_chain.core.consensus.epochs import epoch_at, extend, genesis_state
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.validation import LeadershipClaim
from logos_chain.core.ledger.errors import Unmet
from logos_chain.core.ledger.ledger import Applied, Ledger
from logos_chain.core.ledger.obligations import CircuitObligation, Obligation
from logos_chain.core.ports import ChainStore, Imported
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.opening import Network, Opening
from logos_mantle.blocks import Block, body_root
from logos_mantle.headers import Header, ProofOfLeadership, SignedHeader
from logos_mantle.notes import Note
from logos_mantle.proofs import ZkSignatureProof
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer

NOON_MS = 10**15
FALSE = b"\1" * 128
"""A proof that does not hold."""
TWO = replace(TWENTY, name="two", security_blocks=2, uncle_window_blocks=1, density_window_slots=3)


def noon() -> int:
    return NOON_MS


@dataclass
class World:
    """A genesis, and the blocks that were made after it."""

    parameters: Parameters = TWENTY
    blocks: dict[bytes, Block] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.genesis = genesis()
        self.network = Network(self.parameters, PARAMETERS, self.genesis)
        self.funds = outputs_of(self.genesis.transfer)
        self.blocks[self.genesis.block.id] = self.genesis.block

    @property
    def root(self) -> Block:
        return self.genesis.block

    def spend(self, number: int, name: str = "", **changes: Any) -> SignedTransaction:
        """Spends one of the first notes; `name` makes its note another one."""
        rest = 900_000 - int.from_bytes(named(name)[:2], "little")
        made = signed(Transfer((self.funds[number],), (Note(rest, ALICE),)))
        return replace(made, **changes) if changes else made

    def false(self, number: int) -> SignedTransaction:
        """A transaction whose signature does not hold."""
        return self.spend(number, proofs=(ZkSignatureProof(FALSE),))

    def make(
        self,
        parent: Block,
        name: str,
        transactions: Sequence[SignedTransaction] = (),
        *,
        gap: int = 1,
        proof: bytes = bytes(128),
        uncles: Sequence[SignedHeader] = (),
    ) -> Block:
        key = Ed25519PrivateKey.from_private_bytes(named(f"key {name}"))
        leadership = ProofOfLeadership(
            named(f"voucher {name}"),
            named(f"entropy {name}"),
            proof,
            key.public_key().public_bytes_raw(),
        )
        root = body_root(uncles, [each.hash for each in transactions])
        header = Header(parent.id, parent.header.slot + gap, root, leadership)
        block = Block(header, key.sign(header.encoded), tuple(uncles), tuple(transactions))
        self.blocks[block.id] = block
        return block

    def chain(self, parent: Block, name: str, count: int, first: int = 0) -> list[Block]:
        """Blocks that follow one another; the first ones spend one of the first notes each."""
        made: list[Block] = []
        for at in range(count):
            number = first + at
            spent = [self.spend(number, name)] if number < len(self.funds) else []
            made.append(self.make(made[-1] if made else parent, f"{name} {at}", spent))
        return made

    def path(self, tip: bytes) -> list[Block]:
        """The chain after the genesis."""
        found: list[Block] = []
        while tip != self.root.id:
            found.append(self.blocks[tip])
            tip = found[-1].header.parent
        return found[::-1]

    def replayed(self, tip: bytes) -> Ledger:
        """A ledger that has executed a chain from the genesis, and nothing else."""
        ledger = Ledger.from_genesis(PARAMETERS, self.genesis)
        nonce = self.genesis.parameters.epoch_nonce_value
        state = genesis_state(ledger.root, nonce, ledger.head.genesis)
        for block in self.path(tip):
            header = block.header
            epoch = epoch_at(self.parameters, state, header.slot)
            result = ledger.apply(
                block.transactions,
                slot=header.slot,
                epoch=epoch,
                voucher=header.leadership.voucher,
            )
            assert isinstance(result, Applied), result
            state = extend(
                self.parameters,
                state,
                slot=header.slot,
                entropy=header.leadership.entropy,
                ledger_root=ledger.root,
                uncle_slots=[each.header.slot for each in block.uncles],
            )
        return ledger


@dataclass
class Scripted:
    """A verifier that finds proofs of `FALSE` not to hold, when it is let."""

    held: set[bytes] = field(default_factory=set)
    """Blocks whose claims are not looked at until `let`."""
    asked: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = asyncio.Event()

    def let(self, block: Block) -> None:
        self.held.discard(block.id)
        self._news.set()
        self._news = asyncio.Event()

    async def claims(self, claims: Sequence[LeadershipClaim]) -> RejectReason | None:
        identifier = claims[0].signed.header.id
        self.asked.append(identifier)
        while identifier in self.held:
            await self._news.wait()
        is_false = any(each.signed.header.proof == FALSE for each in claims)
        return RejectReason.INVALID_PROOF if is_false else None

    async def obligations(self, obligations: Sequence[Obligation]) -> Unmet | None:
        await asyncio.sleep(0)
        for each in obligations:
            if isinstance(each, CircuitObligation) and each.proof == FALSE:
                return Unmet.ZK_SIGNATURE
        return None


@asynccontextmanager
async def node(
    world: World,
    store: ChainStore | None = None,
    verifier: Scripted | None = None,
    rule: Rule = Rule.BOOTSTRAP,
    watched: Iterable[bytes] = (),
    *,
    attach: Callable[[FollowOperations], None] | None = None,
    imported: Imported | None = None,
) -> AsyncIterator[FollowOperations]:
    opening = Opening(store or MemoryStore(), world.network, watched=watched, imported=imported)
    chain = await opening.open(rule, noon)
    follow = FollowOperations(chain, verifier or Scripted(), noon)
    if attach is not None:
        attach(follow)
    async with follow.running():
        yield follow


async def give(follow: FollowOperations, blocks: Iterable[Block], source: str = "a") -> list[Any]:
    return [await follow.take(each.encode(), source) for each in blocks]


async def state_of(follow: FollowOperations) -> dict[str, Any]:
    """All of the ledger at the tip."""
    found = await follow.at_tip(contents)
    assert found.tip == follow.tip.id
    return found.value


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(20_000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it does not come to that")


async def quiet(follow: FollowOperations) -> None:
    """Waits until the disk is up to date."""
    settling = follow._settling
    await until(lambda: not settling.is_due and not settling._storing.locked())
