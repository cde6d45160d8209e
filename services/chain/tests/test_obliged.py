"""FOL-3, FOL-4: obligations are verified while their block is executed, with the same outcome."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random  # noqa: TID251 - a seed repeats a run
from typing import Any

import pytest
from chain_ledger import Chain, activity, contents, epoch_state, named
from chain_memory import MemoryStore
from chain_world import Scripted, World, give, node, state_of, until
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_chain.core.branch import Branches
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.ledger import ledger
from logos_chain.core.ledger.errors import Refusal, Unmet
from logos_chain.core.ledger.ledger import Applied
from logos_chain.core.ledger.obligations import (
    ActivityObligation,
    CircuitObligation,
    Ed25519Obligation,
    Obligation,
)
from logos_chain.operations.following import Fault, RejectedBlock
from logos_chain.operations.ledger_lane import LedgerLane
from logos_chain.operations.obliged import ObligationsOnTheWay
from logos_chain.operations.verifying import Proof, ProofVerifier
from logos_mantle.blocks import Block
from logos_module.errors import ModuleDrainingError

DEADLINE_S = 30
BAD = b"\1" * 128
KEY = Ed25519PrivateKey.from_private_bytes(named("signer"))
SIGNER = KEY.public_key().public_bytes_raw()


@dataclass
class Counting(Scripted):
    """Remembers how many obligations it was given at once."""

    counts: list[int] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)

    async def obligations(self, obligations: Sequence[Obligation]) -> Unmet | None:
        self.counts.append(len(obligations))
        self.begun.set()
        return await super().obligations(obligations)


@pytest.fixture
def by_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Obligations are told of by two."""
    monkeypatch.setattr(ledger, "OBLIGED", 2)


def block_of(world: World, count: int, false: Sequence[int] = ()) -> Block:
    body = [world.false(each) if each in false else world.spend(each) for each in range(count)]
    return world.make(world.root, f"{count} {false}", body)


@pytest.mark.usefixtures("by_two")
@pytest.mark.parametrize(
    ("count", "counts"), [(0, [0]), (1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2]), (5, [2, 2, 1])]
)
async def test_each_obligation_is_verified_once(count: int, counts: list[int]) -> None:
    world, verifier = World(), Counting()
    block = block_of(world, count)

    async with node(world, verifier=verifier) as follow:
        assert await give(follow, [block]) == [None]
        assert await state_of(follow) == contents(world.replayed(block.id))

    assert verifier.counts == counts


@pytest.mark.usefixtures("by_two")
@pytest.mark.parametrize("false", range(5))
async def test_a_false_proof_anywhere_is_the_block_s_reason(false: int) -> None:
    world = World()
    told: list[RejectedBlock] = []
    block, good = block_of(world, 5, [false]), block_of(world, 5)

    async with node(world, store := MemoryStore()) as follow:
        follow.rejected.append(told.append)
        before = await state_of(follow)
        assert await give(follow, [block], "liar") == [RejectReason.INVALID_BODY]
        assert await state_of(follow) == before
        assert not store.above
        assert await give(follow, [good], "honest") == [None]

    fault = Fault(RejectReason.INVALID_BODY, Unmet.ZK_SIGNATURE)
    assert told == [RejectedBlock(block.id, "liar", fault)]


@pytest.mark.usefixtures("by_two")
async def test_a_body_that_is_refused_is_so_whatever_its_proofs_are() -> None:
    world = World()
    told: list[RejectedBlock] = []
    body = [world.false(0), world.false(1), world.spend(2), world.spend(3), world.spend(2)]
    block = world.make(world.root, "a", body)

    async with node(world) as follow:
        follow.rejected.append(told.append)
        before = await state_of(follow)
        assert await give(follow, [block]) == [RejectReason.INVALID_BODY]
        assert await state_of(follow) == before

    [rejected] = told
    assert rejected.fault == Fault(RejectReason.INVALID_BODY, Refusal.SPENT_NOTE, 4, 0)


@pytest.mark.usefixtures("by_two")
async def test_the_ledger_goes_on_while_proofs_are_verified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, verifier = World(), Counting()
    execute, executed = ledger.execute, 0

    def waiting(*arguments: Any) -> Any:
        nonlocal executed
        executed += 1
        if executed == 3:
            assert verifier.begun.wait(DEADLINE_S)
        return execute(*arguments)

    block = block_of(world, 4)
    async with node(world, verifier=verifier) as follow:
        monkeypatch.setattr(ledger, "execute", waiting)
        assert await give(follow, [block]) == [None]


async def test_a_node_that_ends_executes_no_block_that_it_has_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, given, executed, end = World(), list[Any](), list[bytes](), threading.Event()
    blocks = [block_of(world, count) for count in (1, 2, 3)]
    execute, give_work, close = Branches.execute, LedgerLane.give, LedgerLane.close

    def counted(lane: LedgerLane, work: Any) -> Any:
        given.append(work)
        return give_work(lane, work)

    def slow(branches: Branches, **values: Any) -> Any:
        executed.append(values["block"])
        assert end.wait(DEADLINE_S)
        return execute(branches, **values)

    async def closed(lane: LedgerLane) -> None:
        end.set()
        await close(lane)

    monkeypatch.setattr(Branches, "execute", slow)
    monkeypatch.setattr(LedgerLane, "close", closed)
    async with node(world) as follow:
        monkeypatch.setattr(LedgerLane, "give", counted)
        taking = asyncio.gather(
            *(follow.take(each.encode(), "a") for each in blocks), return_exceptions=True
        )
        await until(lambda: len(given) == len(blocks) and bool(executed))

    assert all(isinstance(each, ModuleDrainingError) for each in await taking)
    assert len(executed) == 1


def test_a_ledger_tells_of_obligations_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "OBLIGED", 3)
    chain, told = Chain(), list[Sequence[Obligation]]()
    body = [chain.paid() for _ in range(5)]

    result = chain.ledger.apply(
        body, slot=1, epoch=epoch_state(0), voucher=named("voucher"), obliged=told.append
    )

    assert isinstance(result, Applied)
    assert len(result.obligations) == 5
    assert [tuple(each) for each in told] == [result.obligations[:3]]


class AllButBad:
    """`Proofs` that finds all but `BAD` to hold."""

    def all_hold(self, circuit: str, proofs: Sequence[Proof]) -> bool:
        return all(proof != BAD for _, proof in proofs)


def circuit(name: str, proof: bytes = bytes(128)) -> CircuitObligation:
    return CircuitObligation(name, b"", proof)


KINDS = (
    circuit("signature2"),
    circuit("signature32"),
    circuit("claim"),
    Ed25519Obligation(SIGNER, b"message", KEY.sign(b"message")),
    circuit("signature2", BAD),
    circuit("signature32", BAD),
    circuit("claim", BAD),
    Ed25519Obligation(SIGNER, b"message", KEY.sign(b"another")),
    ActivityObligation(activity(1), bytes(32), 0, 1),
)


@pytest.mark.parametrize("seed", range(40))
async def test_parts_give_the_reason_that_the_whole_gives(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - see above
    weights = [9] * 4 + [1] * 5
    obligations = tuple(chance.choices(KINDS, weights, k=chance.randrange(12)))
    cuts = sorted(chance.randrange(len(obligations) + 1) for _ in range(3))
    verifier = ProofVerifier(AllButBad(), Fraction(1, 2))
    whole = await verifier.obligations(obligations)
    parts = ObligationsOnTheWay(verifier)

    def give_all() -> None:
        for start, end in zip([0, *cuts], cuts, strict=False):
            parts.give(obligations[start:end])
        parts.end(Applied(None, obligations, ()))  # type: ignore[arg-type]

    giving = asyncio.to_thread(give_all)
    found, _ = await asyncio.gather(parts.verify(), giving)

    assert found is whole
