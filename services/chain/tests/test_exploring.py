"""FOL-20, FOL-21: blocks are found with their place, and watched from any block on."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from chain_memory import MemoryStore
from chain_world import TWO, World, give, node, quiet

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.errors import BlockUnknownError, CursorUnknownError
from logos_chain.operations import watching
from logos_chain.operations.exploring import ExploreOperations
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.watching import ChainMove, WatchOperations
from logos_mantle.blocks import Block


def explorer(follow: FollowOperations) -> ExploreOperations:
    return ExploreOperations(follow._chain)


def ids(blocks: list[Block]) -> list[BlockId]:
    return [BlockId(each.id) for each in blocks]


async def moves(follow: FollowOperations, after: BlockId | None, count: int) -> list[ChainMove]:
    watch = WatchOperations(follow, explorer(follow), asyncio.Event())
    async with asyncio.timeout(10), aclosing(watch.moves(after)) as found:
        return [await anext(found) for _ in range(count)]


async def test_blocks_are_shown_with_their_place() -> None:
    world, store = World(TWO), MemoryStore()
    chain = [world.root, *world.chain(world.root, "a", 6)]
    fork = world.make(chain[5], "fork", gap=9)
    async with node(world, store, rule=Rule.ONLINE) as follow:
        await give(follow, [*chain[1:], fork])
        await quiet(follow)
        explore = explorer(follow)

        found = [await explore.block(each) for each in ids(chain)]

        assert [each.is_final for each in found] == [True] * 5 + [False] * 2
        assert [each.confirmations for each in found] == [7, 6, 5, 4, 3, 2, 1]
        assert all(each.is_on_chain for each in found)
        other = await explore.block(BlockId(fork.id))
        assert (other.is_on_chain, other.is_final, other.confirmations) == (False, False, 0)
        assert set(explore.children(BlockId(chain[5].id))) == {chain[6].id, fork.id}
        with pytest.raises(BlockUnknownError):
            await explore.block(BlockId(bytes(32)))


async def test_blocks_are_found_by_height_in_the_tree_and_on_disk() -> None:
    world, store = World(TWO), MemoryStore()
    chain = [world.root, *world.chain(world.root, "a", 6)]
    async with node(world, store, rule=Rule.ONLINE) as follow:
        await give(follow, chain[1:])
        await quiet(follow)
        explore = explorer(follow)

        found = [(await explore.at_height(each)).outline.id for each in range(7)]
        assert found == ids(chain)
        with pytest.raises(BlockUnknownError):
            await explore.at_height(7)
        for first in range(8):
            for limit in range(1, 9):
                assert await explore.ids(first, limit) == ids(chain)[first : first + limit]
        page = await explore.page(None, 3)
        assert [each.outline.height for each in page] == [6, 5, 4]
        assert [each.outline.height for each in await explore.page(2, 5)] == [2, 1, 0]


@dataclass
class Moving(MemoryStore):
    """The chain goes on while a caller waits for it."""

    follow: FollowOperations | None = None
    more: list[Block] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def final(self, first: int, limit: int) -> Sequence[BlockId]:
        found = await super().final(first, limit)
        if self.follow is not None:
            await give(self.follow, self.more)
            self.more = []
        return found


async def test_a_page_is_whole_though_blocks_become_final_meanwhile() -> None:
    world, store = World(TWO), Moving()
    chain = [world.root, *world.chain(world.root, "a", 20)]
    async with node(world, store, rule=Rule.ONLINE) as follow:
        await give(follow, chain[1:7])
        await quiet(follow)
        store.follow, store.more = follow, chain[7:]

        page = await explorer(follow).page(6, 7)

        assert [each.outline.height for each in page] == [6, 5, 4, 3, 2, 1, 0]
        await quiet(follow)


async def test_forks_are_listed_with_the_local_chain_first() -> None:
    world = World()
    common = world.chain(world.root, "common", 2)
    local = world.chain(common[-1], "local", 4, first=2)
    other = world.chain(common[-1], "other", 3, first=2)
    async with node(world) as follow:
        await give(follow, [*common, *local, *other])

        first, second = explorer(follow).forks()

        assert (first.tip.id, first.blocks, first.local_blocks) == (local[-1].id, 0, 0)
        assert (second.tip.id, second.common.id) == (other[-1].id, common[-1].id)
        assert (second.blocks, second.local_blocks) == (3, 4)


@pytest.mark.parametrize("known", range(7))
async def test_a_watcher_is_told_all_since_any_block(
    known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_ADDED", 2)
    world, store = World(TWO), MemoryStore()
    chain = [world.root, *world.chain(world.root, "a", 6)]
    async with node(world, store, rule=Rule.ONLINE) as follow:
        await give(follow, chain[1:])
        await quiet(follow)

        told = await moves(follow, ids(chain)[known], max(1, -(-(6 - known) // 2)))

        added = [each.outline.id for move in told for each in move.added]
        assert added == ids(chain)[known + 1 :]
        assert told[-1].tip == chain[-1].id
        assert told[-1].final.id == chain[4].id
        assert not any(move.removed for move in told)


async def test_a_watcher_is_told_what_has_left_the_chain() -> None:
    world = World()
    common = world.chain(world.root, "common", 2)
    old = world.chain(common[-1], "old", 3, first=2)
    new = world.chain(common[-1], "new", 4, first=2)
    async with node(world) as follow:
        await give(follow, [*common, *old])
        watch = WatchOperations(follow, explorer(follow), asyncio.Event())
        async with aclosing(watch.moves(None)) as found:
            first = await anext(found)
            assert (first.tip, first.added, first.removed) == (old[-1].id, (), ())
            await give(follow, new)

            move = await anext(found)

        assert move.removed == tuple(ids(old)[::-1])
        assert [each.outline.id for each in move.added] == ids(new)
        assert all(each.is_on_chain for each in move.added)


async def test_a_place_that_is_unknown_is_refused() -> None:
    world = World()
    async with node(world) as follow:
        with pytest.raises(CursorUnknownError):
            await moves(follow, BlockId(bytes(32)), 1)
        assert not follow.events._listeners
