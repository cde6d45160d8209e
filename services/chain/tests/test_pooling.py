"""MPL-3, MPL-9, MPL-16 to MPL-24: the mempool of a node whose chain moves."""

import asyncio
from dataclasses import replace

import pytest
from chain_kept import KeptTransactions
from chain_ledger import named
from chain_pooling import NOW_MS, Pooled, PoolNode
from chain_world import FALSE, TWO, World, quiet, until

from logos_base.errors import StoreFailedError
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.errors import Refusal
from logos_chain.core.mempool.errors import (
    MempoolBusyError,
    MempoolRefusal,
    ProofInvalidError,
    SubmissionRefusedError,
    TransactionKnownError,
    TransactionMalformedError,
)
from logos_chain.core.mempool.types import OWN, BlockLimits, Limits, Saved, Stage, Status
from logos_chain.operations import pool_inputs
from logos_mantle.blocks import Block
from logos_mantle.limits import MAX_BODY_BYTES
from logos_mantle.proofs import ZkSignatureProof
from logos_mantle.transactions import SignedTransaction
from logos_module.errors import ModuleDrainingError


def is_ready(pooled: Pooled, transaction: SignedTransaction) -> bool:
    """Whether all that the ledger asks of it is verified."""
    entry = pooled.pool._machine._waiting.get(transaction.hash)
    return entry is not None and entry.is_ready


def included(block: Block) -> Status:
    return Status(Stage.INCLUDED, BlockId(block.id))


async def test_a_transaction_waits_and_is_passed_on_once_its_proofs_hold() -> None:
    node = PoolNode()
    one, two = node.world.spend(0), node.world.spend(1)

    async with node.running() as pooled:
        assert await pooled.receive(one) == [None]
        assert await pooled.pool.submit(two.encoded) == two.hash

        assert pooled.waiting == [one.hash, two.hash]
        assert (pooled.pool.count, pooled.pool.size_bytes) == (
            2,
            len(one.encoded) + len(two.encoded),
        )
        assert pooled.pool.get(one.hash) == one
        assert pooled.pool.get(named("none")) is None
        assert pooled.stage(one) is Stage.PENDING
        assert pooled.passed_on == [(one.encoded, "a"), (two.encoded, OWN)]


async def test_what_is_not_taken_is_refused_with_the_reason() -> None:
    node = PoolNode()
    world = node.world
    one = world.spend(0)
    orphan = replace(one, transaction=world.spend(0, "x").transaction)

    async with node.running() as pooled:
        assert await pooled.receive(one, one, orphan, world.false(1)) == [
            None,
            MempoolRefusal.ALREADY_KNOWN,
            MempoolRefusal.CONFLICT,
            MempoolRefusal.INVALID_PROOF,
        ]
        assert await pooled.pool.received(b"junk", "a") is MempoolRefusal.MALFORMED
        large = bytes(MAX_BODY_BYTES + 1)
        assert await pooled.pool.received(large, "a") is MempoolRefusal.MALFORMED
        for raw, error in (
            (b"junk", TransactionMalformedError),
            (large, TransactionMalformedError),
            (one.encoded, TransactionKnownError),
            (world.false(2).encoded, ProofInvalidError),
        ):
            with pytest.raises(error):
                await pooled.pool.submit(raw)
        assert pooled.waiting == [one.hash]


async def test_a_false_proof_of_one_peer_does_not_keep_the_true_one_out() -> None:
    """MPL-6: also while both are verified."""
    node = PoolNode()
    true, false = node.world.spend(0), node.world.false(0)
    assert true.hash == false.hash

    async with node.running() as pooled:
        calls = [
            pooled.pool.received(each.encoded, source)
            for each, source in ((false, "a"), (true, "b"), (false, "c"))
        ]
        reasons = await asyncio.gather(*calls)

        assert reasons[0] is MempoolRefusal.INVALID_PROOF
        assert reasons[1] is None
        assert reasons[2] in {MempoolRefusal.ALREADY_KNOWN, MempoolRefusal.INVALID_PROOF}
        assert pooled.pool.get(true.hash) == true


async def test_the_same_bytes_are_verified_once() -> None:
    node = PoolNode()
    one = node.world.spend(0)

    async with node.running() as pooled:
        calls = [pooled.pool.received(one.encoded, f"{each}") for each in range(20)]
        reasons = await asyncio.gather(
            *calls, pooled.pool.submit(one.encoded), return_exceptions=True
        )

        assert reasons.count(None) + reasons.count(one.hash) == 1
        assert reasons.count(MempoolRefusal.ALREADY_KNOWN) >= 19
        assert pooled.waiting == [one.hash]


async def test_statuses_follow_the_chain() -> None:
    """MPL-17, MPL-21: up to final, and each stage is told once."""
    node = PoolNode(World(TWO), rule=Rule.ONLINE)
    one, other = node.world.spend(0), node.world.spend(1)

    async with node.running() as pooled:
        await pooled.receive(one, other)
        first = node.world.make(node.world.root, "first", [one])
        await pooled.give(first)
        assert pooled.pool.status(one.hash) == included(first)
        await pooled.give(*node.world.chain(first, "more", 2, first=30))
        await until(lambda: pooled.stage(one) is Stage.FINAL)
        await quiet(pooled.follow)

        assert pooled.stages(one) == [Stage.PENDING, Stage.INCLUDED, Stage.SAFE, Stage.FINAL]
        assert pooled.waiting == [other.hash]
        assert await pooled.receive(one) == [MempoolRefusal.ALREADY_INCLUDED]


async def test_a_reorganisation_gives_transactions_back() -> None:
    """MPL-16: those of the removed block wait again, unless the new chain spends their notes."""
    node = PoolNode()
    world = node.world
    back, spent, both = world.spend(0), world.spend(1), world.spend(2)
    left = world.make(world.root, "left", [back, spent, both])
    right = [world.make(world.root, "right", [both, world.spend(1, "other")])]
    right.append(world.make(right[0], "right too"))

    async with node.running() as pooled:
        await pooled.give(left)
        assert pooled.stage(back) is Stage.INCLUDED
        await pooled.give(*right)
        assert pooled.follow.tip.id == right[-1].id
        await until(lambda: pooled.waiting == [back.hash])

        assert pooled.stage(back) is Stage.PENDING
        assert pooled.pool.status(spent.hash) == Status(Stage.DROPPED, reason=Refusal.SPENT_NOTE)
        assert pooled.pool.status(both.hash) == included(right[0])
        await until(lambda: is_ready(pooled, back))
        assert [each.hash for each in await pooled.pool.choose(BlockLimits())] == [back.hash]


async def test_many_moves_at_once_become_one() -> None:
    """MPL-21: whatever became of the events."""
    node = PoolNode()
    world = node.world
    mine = world.spend(23)
    chain = world.chain(world.root, "a", 12)
    fork = world.chain(world.root, "b", 14, first=2)

    async with node.running() as pooled:
        await pooled.receive(mine)
        await pooled.give(*chain)
        pooled.pool._lane.look = lambda: None  # type: ignore[method-assign]  # events are lost
        for each in fork:
            assert await pooled.follow.take(each.encode(), "a") is None
        late = world.spend(22)
        assert await pooled.receive(late) == [None]

        assert pooled.follow.tip.id == fork[-1].id
        # what only the fork left behind has spent is free again
        free = [world.spend(at, "a").hash for at in (0, 1)]
        assert sorted(pooled.waiting) == sorted([*free, mine.hash, late.hash])
        for at, block in enumerate(fork[:13]):
            status = pooled.pool.status(world.spend(2 + at, "b").hash)
            assert status is not None
            assert status.block == block.id


async def test_choosing_is_for_the_tip_and_changes_nothing() -> None:
    """MPL-12 to MPL-14."""
    node = PoolNode()
    world = node.world
    made = [world.spend(at) for at in range(8)]

    async with node.running() as pooled:
        await pooled.receive(*made)
        chosen = await pooled.pool.choose(BlockLimits())
        assert {each.hash for each in chosen} == {each.hash for each in made}
        assert len(await pooled.pool.choose(BlockLimits(transactions=3))) == 3
        await pooled.give(world.make(world.root, "one", made[:5]))

        chosen = await pooled.pool.choose(BlockLimits())
        assert {each.hash for each in chosen} == {each.hash for each in made[5:]}
        assert pooled.pool.count == 3


async def test_what_waits_expires_by_the_clock() -> None:
    """MPL-1."""
    node = PoolNode(limits=Limits(age_ms=1000))
    one = node.world.spend(0)

    async with node.running() as pooled:
        await pooled.receive(one)
        node.clock.ms = NOW_MS + 999
        pooled.pool._lane.look()
        await pooled.quiet()
        assert pooled.stage(one) is Stage.PENDING
        node.clock.ms = NOW_MS + 1000
        pooled.pool._lane.look()
        await until(lambda: pooled.stage(one) is Stage.DROPPED)

        assert pooled.pool.status(one.hash) == Status(Stage.DROPPED, reason=MempoolRefusal.EXPIRED)
        assert pooled.pool.count == pooled.pool.size_bytes == 0


# -- floods ----------------------------------------------------------------------------------------


def conflicting(world: World, number: int, name: str) -> SignedTransaction:
    return world.spend(number, name)


async def test_a_flood_of_valid_conflicting_and_junk_transactions_while_the_chain_moves() -> None:
    node = PoolNode()
    world = node.world
    raws = [world.spend(at, f"{name}").encoded for at in range(12, 24) for name in range(6)]
    raws += [world.false(at).encoded for at in range(12, 24)]
    raws += [b"junk %d" % each for each in range(40)]
    chain = world.chain(world.root, "main", 10)
    fork = world.chain(world.root, "fork", 11, first=12)

    async with node.running() as pooled:

        async def flood(source: str) -> None:
            for each in raws:
                await pooled.pool.received(each, source)

        async def move() -> None:
            for each in (*chain, *fork):
                await pooled.follow.take(each.encode(), "a")

        await asyncio.gather(*(flood(f"peer {each}") for each in range(4)), move())
        await pooled.quiet()

        assert pooled.follow.tip.id == fork[-1].id
        waiting = pooled.waiting
        await until(lambda: all(each.is_ready for each in pooled.pool._machine._waiting))
        chosen = [each.hash for each in await pooled.pool.choose(BlockLimits())]
        assert sorted(chosen) == sorted(waiting)  # all that waits is valid on this tip
        for at in range(12, 24):
            is_spent = at < 23
            there = [world.spend(at, f"{name}").hash in waiting for name in range(6)]
            assert sum(there) == (0 if is_spent else 1)
        assert all(world.spend(at, "main").hash in waiting for at in range(10))
        assert not pooled.pool._outcomes
        assert len(pooled.pool._machine._checking) == 0
        assert {each.hash for each in pooled.pool._machine.waiting()} == set(waiting)
        assert pooled.pool._machine.size_bytes == pooled.pool.size_bytes


async def test_inputs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """MPL-22."""
    monkeypatch.setattr(pool_inputs, "MAX_INPUTS", 4)
    monkeypatch.setattr(pool_inputs, "MAX_OF_SOURCE", 2)
    node = PoolNode()
    world = node.world

    async with node.running() as pooled:
        calls = [
            pooled.pool.received(world.spend(at).encoded, source)
            for at, source in enumerate("aaabbbc")
        ]
        own = [pooled.pool.submit(world.spend(20 + at).encoded) for at in range(3)]
        found = await asyncio.gather(*calls, *own, return_exceptions=True)

        busy = MempoolRefusal.BUSY
        assert found[:7] == [None, None, busy, None, None, busy, busy]
        assert all(isinstance(each, MempoolBusyError) for each in found[7:])
        assert await pooled.receive(world.spend(2), source="a") == [None]


async def test_bytes_of_inputs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    node = PoolNode()
    raws = [node.world.spend(at).encoded for at in range(3)]
    monkeypatch.setattr(pool_inputs, "MAX_INPUT_BYTES", 2 * len(raws[0]))

    async with node.running() as pooled:
        found = await asyncio.gather(*(pooled.pool.received(each, "a") for each in raws))

        assert found == [None, None, MempoolRefusal.BUSY]


async def test_a_tip_that_never_stands_still_makes_it_busy() -> None:
    """MPL-21: it is refused, not judged on another ledger."""
    node = PoolNode()
    one, two = node.world.spend(0), node.world.spend(1)

    async with node.running() as pooled:
        await pooled.receive(one)

        async def elsewhere(*_: object) -> None:
            await asyncio.sleep(0)

        pooled.follow.at_this_tip = elsewhere  # type: ignore[method-assign,assignment]
        assert await pooled.receive(two) == [MempoolRefusal.BUSY]
        with pytest.raises(MempoolBusyError):
            await pooled.pool.submit(two.encoded)
        assert await pooled.pool.choose(BlockLimits()) == []
        block = node.world.make(node.world.root, "one", [one])
        await pooled.give(block)  # that is told all the same
        assert pooled.pool.status(one.hash) == included(block)
        del pooled.follow.at_this_tip

        assert await pooled.receive(two) == [None]


async def test_a_caller_that_goes_leaves_all_in_order() -> None:
    node = PoolNode()
    one = node.world.spend(0)

    async with node.running() as pooled:
        for call in (
            pooled.pool.received(one.encoded, "a"),
            pooled.pool.submit(node.world.spend(1).encoded),
            pooled.pool.choose(BlockLimits()),
        ):
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(call)
                await asyncio.sleep(0)
                task.cancel()
        await until(lambda: pooled.pool.count == 2)

        assert not pooled.pool._outcomes
        assert not pooled.pool._choosing


async def test_a_node_that_stops_tells_those_that_wait() -> None:
    node = PoolNode()
    held = asyncio.Event()

    class Never:
        async def obligations(self, _obligations: object) -> None:
            held.set()
            await asyncio.Event().wait()

    async with node.running() as pooled:
        pooled.pool._verifier = Never()  # type: ignore[assignment]
        calls = asyncio.gather(
            pooled.pool.received(node.world.spend(0).encoded, "a"),
            pooled.pool.submit(node.world.spend(1).encoded),
            return_exceptions=True,
        )
        await held.wait()
    found = await calls

    assert all(isinstance(each, ModuleDrainingError) for each in found)
    for call in (pooled.pool.received(b"", "a"), pooled.pool.submit(b"")):
        with pytest.raises(ModuleDrainingError):
            await call
    with pytest.raises(ModuleDrainingError):
        await pooled.pool.choose(BlockLimits())


async def test_an_error_of_the_body_comes_out_as_it_is() -> None:
    with pytest.raises(SubmissionRefusedError):
        async with PoolNode().running() as pooled:
            await pooled.pool.submit(b"junk")


# -- the disk --------------------------------------------------------------------------------------


async def test_what_waits_outlives_a_stop_and_is_not_verified_again() -> None:
    """MPL-20, MPL-24."""
    node = PoolNode()
    world = node.world
    made = [world.spend(at) for at in range(5)]
    node.limits = Limits(age_ms=10_000, safe_blocks=2)
    async with node.running() as pooled:
        await pooled.receive(*made)
    node.clock.ms = NOW_MS + 9_999
    node.verifier.obligations = None  # type: ignore[method-assign,assignment]

    async with node.running() as pooled:
        assert pooled.waiting == [each.hash for each in made]
        assert len(await pooled.pool.choose(BlockLimits())) == 5
        node.clock.ms = NOW_MS + 10_000
        pooled.pool._lane.look()
        await until(lambda: pooled.pool.count == 0)
    assert node.saved.saved == ()


async def test_what_a_block_took_meanwhile_waits_no_longer() -> None:
    node = PoolNode()
    world = node.world
    one, two, gone = world.spend(0), world.spend(1), world.spend(2)
    block = world.make(world.root, "one", [one, world.spend(2, "other")])
    async with node.running() as pooled:
        await pooled.receive(one, two, gone)
    saved = node.saved.saved
    async with node.running() as pooled:
        await pooled.give(block)
    node.saved.saved = (*saved, Saved(b"of another version", 0, None))

    async with node.running() as pooled:
        await until(lambda: pooled.waiting == [two.hash])
        assert pooled.pool.status(one.hash) == included(block)
        assert pooled.stage(gone) is Stage.DROPPED


async def test_a_kill_loses_nothing_that_was_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_chain.operations.pool_saving.SAVE_S", 0.01)
    node = PoolNode()
    made = [node.world.spend(at) for at in range(6)]
    async with node.running() as pooled:
        await pooled.receive(*made[:4])
        await until(lambda: len(node.saved.saved) == 4)
        killed = KeptTransactions(node.saved.saved)
        await asyncio.sleep(0.05)
        assert node.saved.saves <= 4  # nothing has changed since
        await pooled.receive(*made[4:])
    node.saved = killed

    async with node.running() as pooled:
        assert pooled.waiting == [each.hash for each in made[:4]]


async def test_a_disk_that_fails_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """MPL-24."""
    monkeypatch.setattr("logos_chain.operations.pool_saving.SAVE_S", 0.01)
    monkeypatch.setattr("logos_chain.operations.pool_lane.RETRY_S", 0.01)
    node = PoolNode()
    world = node.world
    one, two = world.spend(0), world.spend(1)
    node.saved.fails = True
    async with node.running() as pooled:
        await pooled.receive(one)
        await asyncio.sleep(0.05)
        assert pooled.waiting == [one.hash]
        read = node.store.block

        async def failing(*_: object) -> None:
            raise StoreFailedError("it failed")

        node.store.block = failing  # type: ignore[method-assign,assignment]
        block = world.make(world.root, "one", [two])
        assert await pooled.follow.take(block.encode(), "a") is None
        await asyncio.sleep(0.05)
        node.store.block = read  # type: ignore[method-assign]
        node.saved.fails = False
        await pooled.quiet()
        assert pooled.stage(two) is Stage.INCLUDED
    assert [each.raw for each in node.saved.saved] == [one.encoded]


async def test_what_cannot_be_read_is_not_written_over() -> None:
    """MPL-24: nor is it if the node stops before it was restored."""
    node = PoolNode()
    saved = (Saved(node.world.spend(0).encoded, NOW_MS, None),)
    node.saved = KeptTransactions(saved)

    async def failing() -> tuple[Saved, ...]:
        raise StoreFailedError("it failed")

    node.saved.load = failing  # type: ignore[method-assign]
    with pytest.raises(StoreFailedError):
        async with node.running():
            raise AssertionError("it does not run")

    assert node.saved.saved == saved
    assert node.saved.saves == 0


async def test_a_restored_transaction_with_other_obligations_is_verified() -> None:
    """MPL-9: its fingerprint is not that of what the ledger asks for."""
    node = PoolNode()
    false = replace(node.world.spend(1), proofs=(ZkSignatureProof(FALSE),))
    true = node.world.spend(0)
    node.saved = KeptTransactions(
        (Saved(false.encoded, NOW_MS, named("forged")), Saved(true.encoded, NOW_MS, None))
    )

    async with node.running() as pooled:
        await until(lambda: pooled.stage(false) is Stage.DROPPED)
        await until(lambda: is_ready(pooled, true))
        assert [each.hash for each in await pooled.pool.choose(BlockLimits())] == [true.hash]


# -- statuses of all transactions ------------------------------------------------------------------


async def depth_of(
    pooled: Pooled, transaction: SignedTransaction
) -> tuple[Stage, int | None] | None:
    found = await pooled.statuses.status_of(transaction.hash)
    return None if found is None else (found.status.stage, found.confirmations)


async def test_statuses_are_the_same_after_a_restart() -> None:
    """MPL-25."""
    node = PoolNode(World(TWO), rule=Rule.ONLINE)
    world = node.world
    made = [world.spend(at, "a") for at in range(5)]
    waiting, unknown, conflict = world.spend(20), world.spend(21), world.spend(20, "x")
    chain = world.chain(world.root, "a", 5)
    expected = [(Stage.FINAL, 4), (Stage.FINAL, 3), (Stage.FINAL, 2), (Stage.INCLUDED, 1)]
    expected.append((Stage.INCLUDED, 0))
    async with node.running() as pooled:
        await pooled.receive(waiting, conflict)
        await pooled.give(*chain)
        await quiet(pooled.follow)
        assert [await depth_of(pooled, each) for each in made] == expected

    async with node.running() as pooled:
        await quiet(pooled.follow)
        assert [await depth_of(pooled, each) for each in made] == expected
        assert await depth_of(pooled, waiting) == (Stage.PENDING, None)
        assert await depth_of(pooled, unknown) is None
        assert await depth_of(pooled, conflict) is None
        [block] = [each for each in chain if made[4].hash in {t.hash for t in each.transactions}]
        found = await pooled.statuses.status_of(made[4].hash)
        assert found is not None
        assert found.status.block == block.id


async def test_a_block_of_a_fork_says_nothing() -> None:
    node = PoolNode()
    world = node.world
    one, dropped = world.spend(0), world.spend(1)
    left = world.make(world.root, "left", [one, dropped])
    right = [world.make(world.root, "right", [world.spend(1, "other")])]
    right += world.chain(right[0], "more", 2, first=30)

    async with node.running() as pooled:
        await pooled.give(left)
        assert await depth_of(pooled, one) == (Stage.INCLUDED, 0)
        await pooled.give(*right)
        await until(lambda: pooled.waiting == [one.hash])

        assert await depth_of(pooled, one) == (Stage.PENDING, None)
        assert await depth_of(pooled, dropped) == (Stage.DROPPED, None)
        assert await depth_of(pooled, world.spend(1, "other")) == (Stage.SAFE, 2)
