"""FOL-1 to FOL-11: blocks are taken in, executed, kept and told of."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from chain_ledger import contents
from chain_memory import FailingStore, MemoryStore
from chain_world import FALSE, TWO, Scripted, World, give, node, quiet, state_of, until

from logos_base.errors import DiskFullError
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.follower import FetchAncestors, SignedTwice
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.errors import Refusal, SupplyBrokenError, Unmet
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.operations.chain_events import BlocksFinal, NewBlock, TipMoved
from logos_chain.operations.following import Fault, FollowOperations, RejectedBlock
from logos_mantle.blocks import Block
from logos_mantle.headers import SignedHeader
from logos_mantle.proofs import ZkSignatureProof
from logos_module.errors import ModuleDrainingError


def is_pending(follow: FollowOperations, block: Block) -> bool:
    return BlockId(block.id) in follow._pending


async def test_a_chain_is_followed_and_its_ledger_stands_at_the_tip() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 6)

    async with node(world) as follow:
        told = await give(follow, blocks)

        assert told == [None] * 6
        assert follow.tip.id == blocks[-1].id
        assert await state_of(follow) == contents(world.replayed(blocks[-1].id))


async def test_a_reorganisation_of_three_blocks_leads_to_the_state_of_the_other_chain() -> None:
    world = World()
    common = world.chain(world.root, "common", 2)
    old = world.chain(common[-1], "old", 3, first=2)
    new = world.chain(common[-1], "new", 4, first=2)

    async with node(world) as follow:
        with follow.events.listen() as heard:
            await give(follow, [*common, *old, *new])
            events = [await heard.next() for _ in range(len(heard))]

        moves = [each for each in events if isinstance(each, TipMoved) and each.is_reorganisation]
        assert moves == [
            TipMoved(
                common[-1].id, tuple(each.id for each in old[::-1]), tuple(each.id for each in new)
            )
        ]
        assert sum(isinstance(each, NewBlock) for each in events) == 9
        assert await state_of(follow) == contents(world.replayed(new[-1].id))


async def test_a_body_that_fails_late_is_undone_completely() -> None:
    world = World()
    good = world.chain(world.root, "a", 2)
    false = world.make(good[-1], "b", [world.spend(5), world.false(6)])
    refused = world.make(good[-1], "c", [world.spend(5), world.spend(0)])
    told: list[RejectedBlock] = []

    async with node(world, store := MemoryStore()) as follow:
        follow.rejected.append(told.append)
        await give(follow, good)
        before = await state_of(follow)
        reasons = await give(follow, [false, refused])

        assert reasons == [RejectReason.INVALID_BODY] * 2
        assert [each.fault for each in told] == [
            Fault(RejectReason.INVALID_BODY, Unmet.ZK_SIGNATURE),
            Fault(RejectReason.INVALID_BODY, Refusal.SPENT_NOTE, 1, 0),
        ]
        assert await state_of(follow) == before
        assert await follow._lane.run(len) == 2
        assert follow.pending == 0
        assert set(store.above) == {each.id for each in good}


async def test_a_false_proof_of_leadership_is_the_block_s_reason() -> None:
    world = World()
    false = world.make(world.root, "a", proof=FALSE)

    async with node(world) as follow:
        assert await give(follow, [false]) == [RejectReason.INVALID_PROOF]


async def test_a_block_waits_for_its_parent_that_is_being_verified() -> None:
    world, verifier = World(), Scripted()
    first, second, third = world.chain(world.root, "a", 3)
    verifier.held = {first.id}

    async with node(world, verifier=verifier) as follow, asyncio.TaskGroup() as tasks:
        taken = []
        for each in (first, second, third):
            taken.append(tasks.create_task(give(follow, [each])))
            await until(partial(is_pending, follow, each))
        assert verifier.asked == [first.id]
        verifier.let(first)
        told = await asyncio.gather(*taken)

        assert told == [[None]] * 3
        assert follow.tip.id == third.id


async def test_proofs_of_several_blocks_are_verified_at_once() -> None:
    world, verifier = World(), Scripted()
    forks = [world.make(world.root, f"fork {each}") for each in range(5)]
    verifier.held = {each.id for each in forks}

    async with node(world, verifier=verifier) as follow, asyncio.TaskGroup() as tasks:
        taken = [tasks.create_task(give(follow, [each])) for each in forks]
        await until(lambda: len(verifier.asked) == 5)
        for each in reversed(forks):
            verifier.let(each)
        await asyncio.gather(*taken)

        assert len(follow.tip.id) == 32


async def test_a_copy_of_a_block_that_is_pending_or_taken_is_known() -> None:
    world, verifier = World(), Scripted()
    [block] = world.chain(world.root, "a", 1)
    verifier.held = {block.id}

    async with node(world, verifier=verifier) as follow, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(give(follow, [block]))
        await until(lambda: bool(verifier.asked))
        copy = await give(follow, [block], "b")
        verifier.let(block)
        assert await first == [None]
        before = await state_of(follow)
        again = await give(follow, [block])

        assert copy == again == [RejectReason.ALREADY_KNOWN]
        assert await state_of(follow) == before
        assert follow.pending == 0


@pytest.mark.parametrize("is_honest", [True, False])
async def test_a_spoilt_copy_does_not_keep_the_leader_s_block_out(*, is_honest: bool) -> None:
    """FOL-18."""
    world, verifier = World(), Scripted()
    parent = world.make(world.root, "parent")
    block = world.make(parent, "a", [world.spend(0)])
    spoilt = replace(block, transactions=(world.spend(0, proofs=(ZkSignatureProof(FALSE),)),))
    unsigned = replace(block, signature=bytes(64))
    assert spoilt.id == unsigned.id == block.id
    first, second = (spoilt, block) if is_honest else (block, spoilt)
    verifier.held = {block.id}

    async with node(world, verifier=verifier) as follow, asyncio.TaskGroup() as tasks:
        await give(follow, [parent])
        taken = tasks.create_task(give(follow, [first], "a"))
        await until(lambda: is_pending(follow, block))
        assert await give(follow, [second], "a") == [RejectReason.ALREADY_KNOWN]
        copy = tasks.create_task(give(follow, [second], "b"))
        await until(lambda: follow.pending == 2 and bool(follow._copies))
        assert await give(follow, [unsigned], "c") == [RejectReason.ALREADY_KNOWN]
        verifier.let(block)

        outcome = RejectReason.INVALID_BODY if is_honest else None
        assert await taken == [outcome]
        assert await copy == [None if is_honest else RejectReason.ALREADY_KNOWN]
        assert follow.tip.id == block.id
        assert follow.pending == 0


async def test_fetches_end_with_their_blocks() -> None:
    world = World()
    orphans = [world.make(world.make(world.root, f"p {at}"), f"c {at}") for at in range(9)]
    running: set[bytes] = set()

    async def fetch(wanted: FetchAncestors) -> None:
        running.add(wanted.block)
        try:
            await asyncio.Event().wait()
        finally:
            running.discard(wanted.block)

    async with node(world) as follow, asyncio.TaskGroup() as tasks:
        follow.fetching = fetch
        taken = [tasks.create_task(give(follow, [each], each.id.hex())) for each in orphans]
        await until(lambda: sum(each.done() for each in taken) == 4 and len(running) == 5)

        assert follow.pending == 5
        for each in taken:
            each.cancel()


async def test_a_disk_that_is_full_takes_nothing_and_tells_nothing() -> None:
    world = World()
    first, second = world.chain(world.root, "a", 2)
    store = FailingStore(fails=frozenset({3}), error=DiskFullError("no room"))

    async with node(world, store) as follow:
        await give(follow, [first])
        before = await state_of(follow)
        with follow.events.listen() as heard:
            reason = await give(follow, [second])
            assert reason == [RejectReason.NOT_STORED]
            assert len(heard) == 0
        assert follow.tip.id == first.id
        assert await state_of(follow) == before

        assert await give(follow, [second]) == [None]
        assert follow.tip.id == second.id


async def test_a_block_counts_only_when_it_is_durable() -> None:
    world = World()
    [block] = world.chain(world.root, "a", 1)

    class Slow(MemoryStore):
        async def add(self, block: object) -> None:
            assert follow.tip.id == world.root.id
            await asyncio.sleep(0.01)
            assert follow.tip.id == world.root.id
            await super().add(block)  # type: ignore[arg-type]

    async with node(world, Slow()) as follow:
        await give(follow, [block])

        assert follow.tip.id == block.id


async def test_final_blocks_are_settled_and_their_forks_dropped() -> None:
    world = World(TWO)
    common = world.chain(world.root, "a", 1)
    fork = world.chain(common[-1], "fork", 2, first=1)
    rest = world.chain(common[-1], "b", 6, first=1)
    store = MemoryStore()

    async with node(world, store, rule=Rule.ONLINE) as follow:
        with follow.events.listen() as heard:
            await give(follow, [*common, *fork, *rest])
            await quiet(follow)
            events = [await heard.next() for _ in range(len(heard))]

        final = [each for one in events if isinstance(one, BlocksFinal) for each in one.blocks]
        assert final == [each.id for each in [*common, *rest[:4]]]
        assert [each.id for each in store.final_blocks] == [world.root.id, *final]
        assert set(store.above) == {each.id for each in rest[4:]}
        assert await follow._lane.run(len) == 2
        assert follow.latest_immutable.id == rest[3].id
        assert await state_of(follow) == contents(world.replayed(rest[-1].id))


async def test_a_long_bootstrap_is_settled_in_few_calls() -> None:
    world = World(TWO)
    blocks = world.chain(world.root, "a", 50)

    async with node(world, store := MemoryStore()) as follow:
        await give(follow, blocks)
        assert not store.settles
        with follow.events.listen() as heard:
            follow.go_online()
            event = await heard.next()

        assert event == BlocksFinal(tuple(each.id for each in blocks[:48]))
        assert store.settles == [48]


@pytest.mark.parametrize("is_done", [False, True])
async def test_what_the_disk_did_not_settle_is_settled_before_the_next_block(
    *, is_done: bool
) -> None:
    """FOL-10. `is_done`: the disk has done what seemed to fail."""
    world = World(TWO)
    blocks = world.chain(world.root, "a", 4)
    store = FailingStore(fails=frozenset({5, 6}), is_done=is_done)

    async with node(world, store, rule=Rule.ONLINE) as follow:
        with follow.events.listen() as heard:
            assert await give(follow, blocks[:3]) == [None] * 3
            await until(
                lambda: store.log[-1] == "settle" and not follow._settling._storing.locked()
            )
            assert len(heard) == 6  # of each block, and of the tip; of none that is final
            assert await give(follow, blocks[3:]) == [RejectReason.NOT_STORED]
            assert len(heard) == 6
            assert await give(follow, blocks[3:]) == [None]
            await quiet(follow)
            events = [await heard.next() for _ in range(len(heard))]

        assert store.log == ["begin", *["add"] * 3, *["settle"] * 3, "add", "settle"]
        assert [each.id for each in store.final_blocks[1:]] == [each.id for each in blocks[:2]]
        final = [each for one in events if isinstance(one, BlocksFinal) for each in one.blocks]
        assert final == [each.id for each in blocks[:2]]


async def test_a_kept_block_that_the_tree_does_not_take_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FOL-11."""
    world, store = World(), MemoryStore()
    first, second = world.chain(world.root, "a", 2)

    async with node(world, store) as follow:
        await give(follow, [first])
        before = await state_of(follow)
        refused = follow._follower.refused
        monkeypatch.setattr(
            follow._follower,
            "verified",
            lambda block, _root, now_ms: refused(block, RejectReason.BELOW_LIB, now_ms),
        )
        assert await give(follow, [second]) == [RejectReason.BELOW_LIB]
        await quiet(follow)

        assert second.id not in store.kept
        assert await state_of(follow) == before
        assert await follow._lane.run(len) == 1


async def test_a_block_that_was_cut_off_comes_again_before_the_disk_has_dropped_it() -> None:
    world = World()
    main = world.chain(world.root, "main", 3)
    forks = [world.make(world.root, f"fork {at}", [world.spend(9, f"{at}")]) for at in range(2)]
    store = FailingStore(fails=frozenset({7}))

    async with node(world, store) as follow:
        follow._follower.tree._max_side_blocks = 1
        await give(follow, [*main, *forks])
        lock = follow._settling._storing
        await until(lambda: store.log[-1] == "settle" and not lock.locked())
        assert forks[0].id in store.kept

        assert await give(follow, forks[:1]) == [None]
        await quiet(follow)

        assert set(store.above) == {each.id for each in (*main, forks[0])}
        await follow._lane.run(lambda branches: branches.go(BlockId(forks[0].id)))
        assert await follow._lane.run(len) == 4
        assert await state_of(follow) == contents(world.replayed(main[-1].id))


async def test_uncles_are_taken_and_stay_where_a_node_restarts() -> None:
    world, store = World(TWO), MemoryStore(keep_slots=TWO.uncle_window_slots)
    async with node(world, store, rule=Rule.ONLINE) as follow:
        last = world.root
        for at in range(6):
            fork = world.make(last, f"fork {at}", [world.spend(20 - at)])
            main = world.make(last, f"main {at}", [world.spend(at)])
            await give(follow, [main, fork])
            uncle = SignedHeader(fork.header, fork.signature)
            last = world.make(main, f"next {at}", [world.spend(10 + at)], uncles=[uncle])
            assert await give(follow, [last]) == [None]
            await quiet(follow)
        state = await state_of(follow)

    async with node(world, store, rule=Rule.ONLINE) as follow:
        assert follow.tip.id == last.id
        assert follow.tip.state.occupied == 12
        assert await state_of(follow) == state


async def test_a_valid_block_whose_fork_was_cut_off_meanwhile_leaves_nothing() -> None:
    world, verifier, store = World(TWO), Scripted(), MemoryStore()
    late = world.make(world.root, "late", [world.spend(9)])
    verifier.held = {late.id}

    async with node(world, store, verifier, Rule.ONLINE) as follow, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(give(follow, [late]))
        await until(lambda: bool(verifier.asked))
        blocks = world.chain(world.root, "a", 5)
        await give(follow, blocks)
        verifier.let(late)

        assert await first in ([RejectReason.PARENT_UNKNOWN], [RejectReason.BELOW_LIB])
        assert late.id not in store.kept
        assert await state_of(follow) == contents(world.replayed(blocks[-1].id))


async def test_ancestors_are_fetched_or_the_block_is_given_up() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 4)
    fetched: list[bytes] = []

    async with node(world) as follow:
        assert await give(follow, blocks[-1:]) == [RejectReason.PARENT_UNKNOWN]

        async def fetch(wanted: FetchAncestors) -> None:
            fetched.append(wanted.parent)
            await give(follow, [world.blocks[wanted.parent]], "b")

        follow.fetching = fetch
        assert await give(follow, blocks[-1:]) == [None]

        assert fetched == [each.id for each in blocks[2::-1]]
        assert follow.tip.id == blocks[-1].id


async def test_a_fetch_that_fails_gives_the_block_up() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 2)

    async def fetch(wanted: FetchAncestors) -> None:
        raise DiskFullError(str(wanted))

    async with node(world) as follow:
        follow.fetching = fetch

        assert await give(follow, blocks[1:]) == [RejectReason.PARENT_UNKNOWN]


async def test_a_leader_that_signs_twice_is_told_of() -> None:
    world = World()
    one = world.make(world.root, "same key")
    other = world.make(world.root, "same key", [world.spend(0)])
    told: list[SignedTwice] = []

    async with node(world) as follow:
        follow.signed_twice.append(told.append)
        await give(follow, [one, other])

        assert [(each.first, each.second) for each in told] == [(one.id, other.id)]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda raw: raw[:0], RejectReason.MALFORMED_HEADER),
        (lambda raw: raw[:296], RejectReason.MALFORMED_HEADER),
        (lambda raw: b"\2" + raw[1:], RejectReason.WRONG_VERSION),
        (lambda raw: raw[:201] + b"\xff" * 32 + raw[233:], RejectReason.MALFORMED_HEADER),
        (lambda raw: raw[:-1], RejectReason.INVALID_BODY),
        (lambda raw: raw + b"\0", RejectReason.INVALID_BODY),
        (lambda raw: raw[:361] + b"\5" + raw[362:], RejectReason.TOO_MANY_UNCLES),
        (lambda raw: raw[:362] + b"\xff\xff" + raw[364:], RejectReason.TOO_MANY_TRANSACTIONS),
        (lambda raw: raw + bytes(3 << 20), RejectReason.BODY_TOO_LARGE),
        (lambda raw: raw[:362] + b"\0\0", RejectReason.WRONG_BODY_ROOT),
    ],
)
async def test_bytes_that_are_no_block_have_their_reason(
    spoil: Callable[[bytes], bytes], reason: RejectReason
) -> None:
    world = World()
    [block] = world.chain(world.root, "a", 1)
    told: list[RejectedBlock] = []

    async with node(world) as follow:
        follow.rejected.append(told.append)
        found = await follow.take(spoil(block.encode()), "b")

        assert found is reason
        assert [(each.source, each.fault.reason) for each in told] == [("b", reason)]
        assert follow.pending == 0
        assert await give(follow, [block]) == [None]


async def test_bodies_that_wait_are_few() -> None:
    world, verifier = World(), Scripted()
    blocks = [world.make(world.root, f"{each}") for each in range(70)]
    verifier.held = {each.id for each in blocks}

    async with node(world, verifier=verifier) as follow, asyncio.TaskGroup() as tasks:
        taken = [tasks.create_task(give(follow, [each])) for each in blocks]
        await until(lambda: sum(each.done() for each in taken) == 6)

        assert follow.pending == 64
        assert {each.result()[0] for each in taken if each.done()} == {RejectReason.BUSY}
        for each in taken:
            each.cancel()


async def test_a_stop_ends_the_calls_that_wait() -> None:
    world, verifier = World(), Scripted()
    [block] = world.chain(world.root, "a", 1)
    verifier.held = {block.id}

    async with asyncio.TaskGroup() as tasks, node(world, verifier=verifier) as follow:
        taken = tasks.create_task(ended(follow, block))
        await until(lambda: bool(verifier.asked))

    assert taken.result() == "MODULE_DRAINING"
    assert await ended(follow, block) == "MODULE_DRAINING"


async def ended(follow: FollowOperations, block: Block) -> str:
    with pytest.raises(ModuleDrainingError) as stopped:
        await give(follow, [block])
    return stopped.value.reason


async def test_a_damaged_ledger_stops_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    [block] = world.chain(world.root, "a", 1)

    def broken(*_all: object, **_named: object) -> None:
        raise SupplyBrokenError("tokens do not add up")

    with pytest.raises(ExceptionGroup) as stopped:  # noqa: PT012 -- within a node
        async with node(world) as follow:
            monkeypatch.setattr(Ledger, "apply", broken)
            await give(follow, [block])

    assert stopped.value.subgroup(SupplyBrokenError)


async def test_own_blocks_are_taken_as_others_are() -> None:
    world = World()
    [block] = world.chain(world.root, "a", 1)

    async with node(world) as follow:
        assert await follow.take_own(block) is None
        assert await follow.block(follow.tip.id) == block
