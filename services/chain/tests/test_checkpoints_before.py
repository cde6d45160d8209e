"""CKP-10, CKP-11: what a node that began with a checkpoint says of blocks before it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from chain_checkpoints import Made, begun, importing, made, opened
from chain_world import TWO, World, give, quiet

from logos_chain.core.consensus.sync.messages import DownloadRequest
from logos_chain.core.consensus.sync.serving import Answered, RefusalReason, answer
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.errors import BlockBeforeCheckpointError, BlockUnknownError
from logos_chain.operations.exploring import ExploreOperations
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.served_chain import WholeChain

UNKNOWN = BlockId(b"\7" * 32)


@asynccontextmanager
async def node_of(given: Made, folder: Path) -> AsyncIterator[FollowOperations]:
    """A node with the checkpoint and all blocks after it."""
    async with opened(folder / "fresh", given.world) as store:
        await importing(store, given.world, given.path).run()
        async with begun(store, given.world) as follow:
            await give(follow, given.later)
            await quiet(follow)
            yield follow


async def test_it_serves_what_it_has_and_nothing_before(tmp_path: Path) -> None:
    """CKP-11."""
    given = await made(tmp_path / "other")
    more = given.world.chain(given.blocks[-1], "more", 8, first=12)
    line = [given.world.root.id, *(each.id for each in (*given.blocks, *more))]
    async with node_of(given, tmp_path) as follow:
        await give(follow, more)
        await quiet(follow)
        assert follow.latest_immutable.height > given.height
        chain = WholeChain(follow._chain)
        for known in range(len(line)):
            for target in range(len(line)):
                wanted, local = BlockId(line[target]), BlockId(line[known])
                request = DownloadRequest(wanted, local, UNKNOWN, ())
                found = answer(request, await chain.for_request(request))
                if target < given.height:
                    assert found is RefusalReason.TARGET_UNKNOWN
                elif known < given.height:
                    assert found is RefusalReason.NOTHING_IN_COMMON
                else:
                    assert isinstance(found, Answered)
                    assert list(found.blocks) == line[known + 1 : target + 1]
                    assert all([await chain.raw(each) for each in found.blocks])


async def test_its_own_downloads_name_no_block_that_it_does_not_know(tmp_path: Path) -> None:
    given = await made(tmp_path / "other")
    more = given.world.chain(given.blocks[-1], "more", 9, first=12)
    line = [given.world.root.id, *(each.id for each in (*given.blocks, *more))]
    async with node_of(given, tmp_path) as follow:
        for each in (None, *more):
            if each is not None:
                await give(follow, [each])
                await quiet(follow)
            run = await WholeChain(follow._chain).for_run()
            anchors = list(run.anchors())
            assert given.world.root.id not in anchors
            assert set(anchors) <= set(line)
            assert run.latest_immutable() == follow.latest_immutable.id
            assert all(run.deep[at] == line[at] for at in run.deep)


async def test_blocks_before_it_are_refused_with_a_reason_of_their_own(tmp_path: Path) -> None:
    """CKP-10."""
    given = await made(tmp_path / "other")
    async with node_of(given, tmp_path) as follow:
        explore = ExploreOperations(follow._chain)
        for height in range(given.height):
            with pytest.raises(BlockBeforeCheckpointError, match=str(given.height)):
                await explore.at_height(height)
        for height in range(given.height, len(given.blocks) + 1):
            view = await explore.at_height(height)
            assert (view.outline.id, view.is_on_chain) == (given.blocks[height - 1].id, True)
        with pytest.raises(BlockUnknownError, match="before the checkpoint"):
            await explore.block(given.blocks[given.height - 2].id)  # type: ignore[arg-type]
        pages = [await explore.page(None, size) for size in range(1, 30)]
        heights = [[each.outline.height for each in page] for page in pages]
        whole = list(range(len(given.blocks), given.height - 1, -1))
        assert heights == [whole[:size] for size in range(1, 30)]
        assert await explore.page(given.height - 1, 5) == []
        for first in range(len(given.blocks) + 2):
            for limit in range(1, 9):
                ids = await explore.ids(first, limit)
                line = [given.world.root.id, *(each.id for each in given.blocks)]
                wanted = line[max(first, given.height) : first + limit]
                assert list(ids) == wanted


async def test_a_whole_chain_is_explored_as_before(tmp_path: Path) -> None:
    world = World(TWO)
    given = await made(tmp_path / "other", 5, world)
    async with (
        opened(tmp_path / "other" / "whole.sqlite", world) as store,
        begun(store, world) as follow,
    ):
        explore = ExploreOperations(follow._chain)
        assert explore.first_height == 0
        assert len(await explore.page(None, 99)) == len(given.blocks) + 1


async def test_a_block_that_leaves_the_chain_before_the_checkpoint_is_not_taken(
    tmp_path: Path,
) -> None:
    given = await made(tmp_path / "other")
    async with node_of(given, tmp_path) as follow:
        stray = given.world.make(given.blocks[0], "stray")
        late = given.world.make(given.blocks[0], "late", gap=90)
        reasons = [str(each) for each in await give(follow, [stray, late])]
        assert reasons[0] == "BELOW_LIB"
        assert reasons[1] in {"BELOW_LIB", "PARENT_UNKNOWN"}
