"""Random trees in random order end with the tip and the state of a replay: acceptance 6."""

import asyncio
from itertools import pairwise
from typing import Any

from chain_blocks import TWENTY
from chain_ledger import contents
from chain_memory import MemoryStore
from chain_world import TWO, World, give, node, quiet, state_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.follower import FetchAncestors
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.operations.following import FollowOperations
from logos_mantle.blocks import Block
from logos_mantle.headers import SignedHeader

UNHURRIED = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
trees = st.lists(st.integers(0, 3), min_size=1, max_size=18)
"""How far before the newest block each one's parent is."""


def grown(parameters: Parameters, backs: list[int]) -> tuple[World, list[Block]]:
    """A tree whose blocks at one height spend the same note, and one more of their own."""
    world = World(parameters)
    made, heights = [world.root], {world.root.id: 0}
    for number, back in enumerate(backs):
        parent = made[-1 - min(back, len(made) - 1)]
        height = heights[parent.id] + 1
        block = world.make(parent, f"{number}", [world.spend(height % 20, f"{number}")])
        heights[block.id] = height
        made.append(block)
    return world, made[1:]


class Fetching:
    """Gives missing ancestors, as a download would."""

    def __init__(self, world: World, follow: FollowOperations) -> None:
        self.world = world
        self.follow = follow

    async def __call__(self, wanted: FetchAncestors) -> None:
        await self.follow.take(self.world.blocks[wanted.parent].encode(), f"{wanted.parent.hex()}")


@UNHURRIED
@given(trees, st.randoms(use_true_random=False), st.booleans())
def test_a_tree_in_any_order_is_a_replay_of_its_longest_chain(
    backs: list[int],
    order: Any,
    is_at_once: bool,  # noqa: FBT001 -- drawn
) -> None:
    async def run() -> None:
        world, blocks = grown(TWENTY, backs)
        longest = max(len(world.path(each.id)) for each in blocks)
        given_blocks = blocks.copy()
        order.shuffle(given_blocks)

        async with node(world, store := MemoryStore()) as follow:
            follow.fetching = Fetching(world, follow)
            if is_at_once:
                await asyncio.gather(
                    *[give(follow, [each], each.id.hex()) for each in given_blocks]
                )
            await give(follow, given_blocks)
            await give(follow, blocks)

            assert follow.tip.height == longest
            assert follow.pending == 0
            assert set(store.above) == {each.id for each in blocks}
            assert await state_of(follow) == contents(world.replayed(follow.tip.id))
            tip = follow.tip.id
        async with node(world, store) as follow:
            assert follow.tip.height == longest
            assert follow.tip.id == tip
            assert await state_of(follow) == contents(world.replayed(tip))

    asyncio.run(run())


@UNHURRIED
@given(trees, st.lists(st.integers(0, 17), max_size=3))
def test_a_node_that_is_online_and_restarts_keeps_its_state_and_its_disk_in_step(
    backs: list[int], stops: list[int]
) -> None:
    async def run() -> None:
        world, blocks = grown(TWO, backs)
        store = MemoryStore(keep_slots=TWO.uncle_window_slots)
        cuts = sorted({0, len(blocks), *[each % len(blocks) for each in stops]})
        for first, end in pairwise(cuts):
            async with node(world, store, rule=Rule.ONLINE) as follow:
                await give(follow, blocks[first:end])
                await quiet(follow)

                assert store.final_blocks[-1].id == follow.latest_immutable.id
                tree = follow._follower.tree
                assert all(each in tree for each in store.above)
                assert len(store.above) == len(tree) - 1
                assert await follow._lane.run(len) == len(store.above)
                assert await state_of(follow) == contents(world.replayed(follow.tip.id))

    asyncio.run(run())


damages = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 3), st.binary(max_size=4)),
    min_size=1,
    max_size=3,
)
"""Where bytes are put, how many they replace, and which."""


@UNHURRIED
@given(st.lists(damages, max_size=6), st.binary(max_size=700))
def test_damaged_bytes_never_stop_a_node(hostile: list[Any], noise: bytes) -> None:
    async def run() -> None:
        world = World()
        first, second = world.chain(world.root, "a", 2)
        fork = world.make(world.root, "fork")
        uncle = SignedHeader(fork.header, fork.signature)
        third = world.make(second, "b", [world.spend(4)], uncles=[uncle])
        honest = [first, second]

        async with node(world) as follow:
            await give(follow, honest)
            await follow.take(noise, "b")
            for damage in hostile:
                raw = third.encode()
                for drawn, replaced, put in damage:
                    at = drawn % len(raw)
                    raw = raw[:at] + put + raw[at + replaced :]
                told = await follow.take(raw, "b")
                assert told is None or told in RejectReason

            assert follow.pending == 0
            assert await give(follow, [world.make(second, "c", [world.spend(5)])]) == [None]
            tree = follow._follower.tree
            assert await follow._lane.run(len) == len(tree) - 1

    asyncio.run(run())


async def test_a_thousand_blocks_in_a_row() -> None:
    world = World(TWO)
    blocks = world.chain(world.root, "a", 1000)
    store = MemoryStore(keep_slots=TWO.uncle_window_slots)

    async with node(world, store, rule=Rule.ONLINE) as follow:
        assert await give(follow, blocks) == [None] * 1000
        await quiet(follow)

        assert follow.tip.height == 1000
        assert follow.latest_immutable.height == 998
        assert await follow._lane.run(len) == 2
        assert await state_of(follow) == contents(world.replayed(blocks[-1].id))
