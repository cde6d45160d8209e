"""CNW-6, CON-42, CON-48: answers from the tree and the store, against a chain in a list."""

from collections.abc import Sequence

import pytest
from chain_memory import MemoryStore
from chain_world import TWENTY, TWO, World, give, node, quiet

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.sync.downloading import anchor_heights
from logos_chain.core.consensus.sync.messages import DownloadRequest
from logos_chain.core.consensus.sync.serving import Answered, RefusalReason, answer
from logos_chain.core.consensus.types import BlockId
from logos_chain.operations.served_chain import WholeChain
from logos_mantle.blocks import Block

UNKNOWN = BlockId(b"\7" * 32)


def asking(target: bytes, *known: bytes) -> DownloadRequest:
    local, final, *others = (BlockId(each) for each in (*known, UNKNOWN, UNKNOWN))
    return DownloadRequest(BlockId(target), local, final, tuple(others[:5]))


def ids(blocks: Sequence[Block]) -> list[bytes]:
    return [each.id for each in blocks]


async def answered(chain: WholeChain, request: DownloadRequest, limit: int = 1000) -> list[bytes]:
    found = answer(request, await chain.for_request(request), limit)
    assert isinstance(found, Answered)
    return list(found.blocks)


@pytest.mark.parametrize(
    ("parameters", "rule", "keep_slots"),
    [(TWENTY, Rule.BOOTSTRAP, 1000), (TWO, Rule.ONLINE, 1000), (TWO, Rule.ONLINE, 0)],
)
async def test_answers_are_those_of_a_chain_in_a_list(
    parameters: Parameters, rule: Rule, keep_slots: int
) -> None:
    world = World(parameters)
    blocks = world.chain(world.root, "a", 14)
    line = [world.root.id, *ids(blocks)]

    async with node(world, MemoryStore(keep_slots), rule=rule) as follow:
        await give(follow, blocks)
        await quiet(follow)
        chain = WholeChain(follow._chain)
        for known in range(15):
            for target in range(15):
                expected = line[known + 1 : target + 1]
                request = asking(line[target], line[known])
                assert await answered(chain, request) == expected
                assert await answered(chain, request, 3) == expected[:3]
        assert await answered(chain, asking(line[9], line[3], line[5], line[1])) == line[6:10]


async def test_answers_across_forks() -> None:
    world = World()
    common = world.chain(world.root, "common", 4)
    long = world.chain(common[-1], "long", 5, first=4)
    short = world.chain(common[-1], "short", 3, first=4)

    async with node(world) as follow:
        await give(follow, [*common, *short, *long])
        chain = WholeChain(follow._chain)

        assert await answered(chain, asking(long[-1].id, short[-1].id)) == ids(long)
        assert await answered(chain, asking(short[1].id, long[0].id, UNKNOWN)) == ids(short[:2])
        assert await answered(chain, asking(long[2].id, long[4].id)) == []


async def test_a_fork_above_final_blocks_that_are_in_the_store_alone() -> None:
    world = World(TWO)
    blocks = world.chain(world.root, "a", 12)
    fork = world.chain(blocks[10], "fork", 1, first=20)

    async with node(world, MemoryStore(0), rule=Rule.ONLINE) as follow:
        await give(follow, [*blocks, *fork])
        await quiet(follow)
        chain = WholeChain(follow._chain)

        request = asking(fork[0].id, blocks[2].id)
        assert await answered(chain, request) == [*ids(blocks[3:11]), fork[0].id]


async def test_what_cannot_be_answered() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 2)

    async with node(world) as follow:
        await give(follow, blocks)
        chain = WholeChain(follow._chain)
        for request, reason in (
            (asking(UNKNOWN, blocks[0].id), RefusalReason.TARGET_UNKNOWN),
            (asking(blocks[1].id, UNKNOWN), RefusalReason.NOTHING_IN_COMMON),
        ):
            assert answer(request, await chain.for_request(request)) is reason
        assert await chain.raw(UNKNOWN) is None
        assert not chain.has(UNKNOWN)


@pytest.mark.parametrize("keep_slots", [0, 1000])
async def test_anchors_lie_further_and_further_back(keep_slots: int) -> None:
    world = World(TWO)
    blocks = world.chain(world.root, "a", 14)
    line = [world.root.id, *ids(blocks)]

    async with node(world, MemoryStore(keep_slots), rule=Rule.ONLINE) as follow:
        await give(follow, blocks[:12])
        await quiet(follow)
        view = await WholeChain(follow._chain).for_run()
        assert list(view.anchors()) == [line[each] for each in anchor_heights(12, 2)]
        assert view.local_tip() == blocks[11].id
        assert view.latest_immutable() == blocks[9].id
        assert all(view.has(BlockId(each)) for each in line[:13])

        await give(follow, blocks[12:])
        anchors = list(view.anchors())
        assert anchors[-1] == world.root.id
        assert [line.index(each) for each in anchors] == sorted(
            (line.index(each) for each in anchors), reverse=True
        )
