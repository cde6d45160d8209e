"""MPL-21: what a mempool is told of a chain, wherever both are."""

from collections.abc import Iterable

import pytest
from chain_memory import MemoryStore
from chain_world import TWO, World, give, node, quiet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId
from logos_chain.operations import told_chain
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.told_chain import Move, ToldChain
from logos_mantle.blocks import Block

ROOM = 1 << 30


def ids(blocks: Iterable[Block]) -> list[bytes]:
    return [each.id for each in blocks]


async def told(chain: ToldChain) -> Move:
    move = await chain.next()
    chain.tell(move)
    assert not chain.is_behind
    return move


async def test_a_beginning_tells_what_is_above_the_final_blocks() -> None:
    world, store = World(TWO), MemoryStore()
    blocks = world.chain(world.root, "a", 6)
    async with node(world, store, rule=Rule.ONLINE) as follow:
        await give(follow, blocks)
        await quiet(follow)
        final = len(store.final_blocks) - 1
        chain = ToldChain(follow, store, ROOM)
        assert chain.is_behind

        move = await told(chain)

        assert (move.tip, move.removed) == (follow.tip, ())
        assert [each.block for each in move.added] == ids(blocks[final:])
        assert [each.hashes for each in move.added] == [
            tuple(one.hash for one in each.transactions) for each in blocks[final:]
        ]
        assert chain.finals() == []


async def test_moves_name_the_removed_from_the_tip_down_and_the_added_up_to_it() -> None:
    world, store = World(), MemoryStore()
    common = world.chain(world.root, "common", 2)
    left = world.chain(common[-1], "left", 2, first=2)
    right = world.chain(common[-1], "right", 3, first=2)
    async with node(world, store) as follow:
        chain = ToldChain(follow, store, ROOM)
        await give(follow, [*common, *left])
        assert len((await told(chain)).added) == 4
        await give(follow, right)

        move = await told(chain)

        assert move.common == common[-1].id
        assert [each.block for each in move.removed] == ids(left[::-1])
        assert [each.transactions for each in move.removed] == [
            each.transactions for each in left[::-1]
        ]
        assert [each.block for each in move.added] == ids(right)


async def test_final_blocks_are_told_once_and_only_after_they_were_added() -> None:
    world, store = World(TWO), MemoryStore()
    blocks = world.chain(world.root, "a", 8)
    async with node(world, store, rule=Rule.ONLINE) as follow:
        chain = ToldChain(follow, store, ROOM)
        await told_all(chain, follow, blocks[:1])
        assert chain.finals() == []
        await give(follow, blocks[1:])  # several are final before the next move
        await quiet(follow)
        assert chain.finals() == [blocks[0].id]

        move = await told(chain)

        final = [each.id for each in store.final_blocks[1:]]
        assert [each.block for each in move.added] == ids(blocks[1:])
        assert chain.finals() == final[1:]
        assert chain.finals() == []


async def told_all(chain: ToldChain, follow: FollowOperations, blocks: list[Block]) -> None:
    await give(follow, blocks)
    await quiet(follow)
    await told(chain)


async def test_a_fork_that_was_cut_meanwhile_has_no_bodies_any_more() -> None:
    world, store = World(TWO), MemoryStore()
    fork = world.chain(world.root, "fork", 1)
    blocks = world.chain(world.root, "a", 12, first=1)
    async with node(world, store, rule=Rule.ONLINE) as follow:
        chain = ToldChain(follow, store, ROOM)
        await told_all(chain, follow, fork)
        await give(follow, blocks)
        await quiet(follow)
        assert follow.tree_block(BlockId(fork[0].id)) is None

        move = await told(chain)

        assert [(each.block, each.transactions) for each in move.removed] == [(fork[0].id, ())]
        assert [each.block for each in move.added] == ids(blocks)


async def test_of_many_added_blocks_the_newest_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told_chain, "MAX_ADDED", 3)
    monkeypatch.setattr(told_chain, "MAX_TOLD", 5)
    world, store = World(), MemoryStore()
    blocks = world.chain(world.root, "a", 14)
    async with node(world, store) as follow:
        chain = ToldChain(follow, store, ROOM)
        for first, end in ((0, 7), (7, 9), (9, 14)):
            await give(follow, blocks[first:end])

            move = await told(chain)

            wanted = blocks[max(first, end - 3) : end]
            assert [each.block for each in move.added] == ids(wanted)
            assert move.removed == ()
        assert len(chain._told) == 5


async def test_of_many_removed_blocks_the_oldest_come_back() -> None:
    world, store = World(), MemoryStore()
    left = world.chain(world.root, "left", 4)
    right = world.chain(world.root, "right", 5)
    async with node(world, store) as follow:
        chain = ToldChain(follow, store, len(left[0].encode()) + 1)
        await give(follow, left)
        await told(chain)
        await give(follow, right)

        move = await told(chain)

        assert [each.block for each in move.removed] == ids(left[::-1])
        assert [len(each.transactions) for each in move.removed] == [0, 0, 1, 1]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shape=st.lists(st.integers(0, 9), min_size=1, max_size=24),
    looks=st.sets(st.integers(0, 24)),
    rule=st.sampled_from(list(Rule)),
)
async def test_what_was_told_adds_up_to_the_chain(
    shape: list[int], looks: set[int], rule: Rule
) -> None:
    """Blocks on random parents; the mempool looks now and then, and sees each chain whole."""
    world, store = World(TWO), MemoryStore()
    blocks, seen, final = [world.root], list[bytes](), list[bytes]()
    async with node(world, store, rule=rule) as follow:
        chain = ToldChain(follow, store, ROOM)
        for at, back in enumerate(shape):
            made = world.make(blocks[max(0, len(blocks) - 1 - back)], f"{at}")
            if await follow.take(made.encode(), "a") is None:
                blocks.append(made)
            if at not in looks or not chain.is_behind:
                continue
            await quiet(follow)
            move = await told(chain)
            for each in move.removed:
                if seen and seen[-1] == each.block:
                    seen.pop()
            seen += [each.block for each in move.added]
            final += chain.finals()
            local = ids(world.path(follow.tip.id))
            assert seen == local[len(local) - len(seen) :]
            assert final == seen[: len(final)]
            assert len(final) == sum(store.is_final(BlockId(each)) for each in seen)
