"""FOL-12 to FOL-14: a chain is begun, taken up again wherever it was left, or found damaged."""

import asyncio
from dataclasses import replace

import pytest
from chain_ledger import ALICE, contents
from chain_memory import FailingStore, MemoryStore
from chain_world import TWO, World, give, node, noon, quiet, state_of

from logos_base.errors import StoreFailedError
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import ChainStoreDamagedError
from logos_chain.operations.opening import ChainOtherGenesisError, Opening
from logos_mantle.blocks import Block


async def test_an_empty_store_begins_with_the_genesis() -> None:
    world = World()

    async with node(world, store := MemoryStore()) as follow:
        assert follow.tip.id == follow.latest_immutable.id == world.root.id
        assert (await follow.supply()).value.genesis == 24_000_000
        assert follow.epoch_at(0).total_stake == 24_000_000
    assert await store.final(0, 9) == [world.root.id]


@pytest.mark.parametrize("rule", list(Rule))
async def test_a_restart_at_every_height_ends_with_the_same_tip(rule: Rule) -> None:
    world, store = World(TWO), MemoryStore(keep_slots=TWO.uncle_window_slots)
    main = world.chain(world.root, "main", 12)
    parents = [world.root, *main]
    forks = [world.make(parents[at], f"fork {at}", [world.spend(23)]) for at in range(12)]

    for block, fork in zip(main, forks, strict=True):
        async with node(world, store, rule=rule) as follow:
            await give(follow, [block, fork])
            await quiet(follow)
            tip, final, state = follow.tip, follow.latest_immutable, await state_of(follow)
        async with node(world, store, rule=rule) as follow:
            assert follow.tip.id == tip.id
            assert follow.tip.state == tip.state
            assert follow.latest_immutable.id == final.id
            assert await state_of(follow) == state

    assert state == contents(world.replayed(main[-1].id))


async def test_proofs_are_not_verified_again_and_progress_can_be_asked_for() -> None:
    world, store = World(), MemoryStore()
    blocks = world.chain(world.root, "a", 40)
    async with node(world, store) as follow:
        await give(follow, blocks)

    opening = Opening(store, world.network)
    seen: list[int] = []
    unsettled = store.unsettled

    async def watched(after: int, limit: int) -> object:
        seen.append(opening.restored)
        return await unsettled(after, limit)

    store.unsettled = watched  # type: ignore[method-assign,assignment]
    chain = await opening.open(Rule.BOOTSTRAP, noon)
    await chain.lane.close()

    assert seen == [0, 16, 32, 40]
    assert (opening.restored, opening.height) == (40, 40)


async def test_what_was_final_but_not_settled_is_settled_at_the_start() -> None:
    world = World(TWO)
    blocks = world.chain(world.root, "a", 6)
    fork = world.make(blocks[0], "fork", [world.spend(20)])
    store = MemoryStore()
    async with node(world, store) as follow:
        await give(follow, [blocks[0], fork, *blocks[1:]])

    async with node(world, store, rule=Rule.ONLINE) as follow:
        assert follow.latest_immutable.id == store.final_blocks[-1].id == blocks[3].id
        assert fork.id not in store.kept
        assert await follow._lane.run(len) == 2
        assert await state_of(follow) == contents(world.replayed(blocks[-1].id))


async def test_kept_blocks_of_a_fork_that_was_given_up_are_dropped() -> None:
    world = World(TWO)
    blocks = world.chain(world.root, "a", 5)
    store = MemoryStore()
    async with node(world, store, rule=Rule.ONLINE) as follow:
        await give(follow, blocks)
        await quiet(follow)
    stray = world.make(world.make(world.root, "cut off"), "stray", gap=90)
    await store_block(store, stray)

    async with node(world, store, rule=Rule.ONLINE) as follow:
        assert follow.tip.id == blocks[-1].id
        assert stray.id not in store.kept


async def store_block(store: MemoryStore, block: Block, **changes: object) -> None:
    """Puts a block into a store past its conditions."""
    some = next(iter(store.kept.values()))
    kept = replace(
        some,
        id=BlockId(block.id),
        parent=BlockId(block.header.parent),
        raw=block.encode(),
        slot=block.header.slot,
    )
    kept = replace(kept, **changes)  # type: ignore[arg-type]
    store.kept[kept.id] = kept
    store.above[kept.id] = None


@pytest.mark.parametrize("what", ["bytes", "other", "twice", "header", "state"])
async def test_a_damaged_store_is_named_and_not_touched(what: str) -> None:
    world, store = World(), MemoryStore()
    [block] = world.chain(world.root, "a", 1)
    async with node(world, store) as follow:
        await give(follow, [block])
    double = world.make(block, "b", [world.spend(0)])
    wrong = world.make(block, "c", gap=0)
    if what == "bytes":
        await store_block(store, double, raw=double.encode()[:-1])
    elif what == "other":
        await store_block(store, double, raw=world.make(block, "d").encode())
    elif what == "twice":
        await store_block(store, double)
    elif what == "header":
        await store_block(store, wrong)
    else:
        assert store._settled is not None
        store._settled = replace(store._settled, head=replace(store._settled.head, pool=5))
    before = (dict(store.kept), list(store.final_blocks))

    with pytest.raises(ChainStoreDamagedError, match=r"backup"):
        await Opening(store, world.network).open(Rule.BOOTSTRAP, noon)

    assert (dict(store.kept), list(store.final_blocks)) == before


async def test_a_store_of_another_chain_is_refused() -> None:
    world, store = World(), MemoryStore()
    async with node(world, store):
        pass
    other = World()
    parameters = replace(other.genesis.parameters, chain_id="another")
    block = replace(other.genesis.block, header=replace(other.genesis.block.header, slot=0))
    object.__setattr__(block.header, "id", bytes(32))
    network = replace(
        other.network, genesis=replace(other.genesis, block=block, parameters=parameters)
    )

    with pytest.raises(ChainOtherGenesisError):
        await Opening(store, network).open(Rule.BOOTSTRAP, noon)


async def run(world: World, store: MemoryStore, blocks: list[Block]) -> None:
    """Imports as far as the store lets it, as a process does until it is killed."""
    async with node(world, store, rule=Rule.ONLINE) as follow:
        await give(follow, blocks)
        await quiet(follow)


@pytest.mark.parametrize("is_done", [False, True])
async def test_a_stop_between_any_two_writes_ends_consistent(*, is_done: bool) -> None:
    world = World(TWO)
    common = world.chain(world.root, "common", 2)
    fork = world.chain(common[0], "fork", 2, first=5)
    main = world.chain(common[1], "main", 5, first=2)
    late = world.make(main[1], "late", [world.spend(15)])
    blocks = [*common, *fork, *main[:3], late, *main[3:]]
    await run(world, whole := FailingStore(), blocks)
    expected = contents(world.replayed(main[-1].id))

    for write in range(1, whole.writes + 1):
        store = FailingStore(fails=frozenset({write}), is_done=is_done, is_dead=True)
        try:
            async with asyncio.timeout(20):
                async with node(world, store, rule=Rule.ONLINE) as follow:
                    await give(follow, blocks)
        except StoreFailedError:
            assert write == 1  # nothing was begun
        store.is_dead = False

        async with node(world, store, rule=Rule.ONLINE) as follow:
            await give(follow, blocks)
            await quiet(follow)
            assert follow.tip.id == main[-1].id, write
            assert await state_of(follow) == expected
            assert set(store.above) == {each.id for each in main[-2:]}
        async with node(world, store, rule=Rule.ONLINE) as follow:
            assert await state_of(follow) == expected


async def test_aged_paths_are_there_for_the_genesis_notes_and_after_each_epoch() -> None:
    world, store = World(TWO), MemoryStore()
    epoch_slots = TWO.epoch_slots
    note = world.funds[20]
    async with node(world, store, watched=[ALICE]) as follow:
        for at in range(4):
            last = world.blocks[follow.tip.id]
            begins = epoch_slots * at + 1 - last.header.slot
            await give(follow, [world.make(last, f"{at}", [world.spend(at)], gap=begins)])
            slot = follow.tip.slot
            path = await follow.aged_path(note, slot)
            assert path is not None
            assert path == await follow.aged_path(note, slot + 1)

    async with node(world, store, watched=[ALICE]) as follow:
        assert await follow.aged_path(note, follow.tip.slot) is not None
        assert await follow.aged_path(bytes(32), follow.tip.slot) is None
        assert (await follow.note_path(note)).value is not None
        assert len((await follow.notes_of([ALICE])).value) == 24


async def test_a_key_that_is_watched_later_has_paths_from_the_next_epoch_on() -> None:
    world = World(TWO)
    async with node(world) as follow:
        first = world.make(world.root, "a", [world.spend(0)])
        second = world.make(first, "b", [world.spend(1)], gap=TWO.epoch_slots)
        third = world.make(second, "c", gap=TWO.epoch_slots)
        await give(follow, [first])
        assert await follow.aged_path(world.funds[9], 1) is None
        await follow.watch([ALICE])
        await give(follow, [second, third])

        assert await follow.aged_path(world.funds[9], third.header.slot) is not None
