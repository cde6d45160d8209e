"""CKP-1, CKP-11: a node that began with a checkpoint downloads what came after, and serves that."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from chain_checkpoints import Made, exported, importing, made, opened
from chain_ledger import contents
from chain_network import NetNode, Network, net_node, network
from chain_world import TWO, World, give, quiet, state_of

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.sync.downloading import PeerEnd

BLOCKS = int(os.environ.get("LOGOS_CHAIN_SYNC_BLOCKS", "1000"))


@asynccontextmanager
async def fresh(
    net: Network, name: str, given: Made, place: Path, rule: Rule = Rule.BOOTSTRAP
) -> AsyncIterator[NetNode]:
    """A node that begins with a checkpoint."""
    async with opened(place, given.world) as store:
        await importing(store, given.world, given.path).run()
        imported = await store.imported()
        async with net_node(net, name, given.world, store, rule=rule, imported=imported) as made_:
            yield made_


async def test_only_what_came_after_is_downloaded(tmp_path: Path) -> None:
    given = await made(tmp_path / "other", 16)
    more = given.world.chain(given.blocks[-1], "more", 30, first=16)
    async with (
        network() as net,
        net_node(net, "whole", given.world) as whole,
        fresh(net, "fresh", given, tmp_path / "fresh") as node,
    ):
        await give(whole.follow, [*given.blocks, *more])
        assert await node.sync.download(["whole"])

        assert node.follow.tip.id == more[-1].id
        assert await state_of(node.follow) == contents(given.world.replayed(more[-1].id))
        assert node.sync.ends == {PeerEnd.DONE: 1}
        assert whole.serving.blocks == len(given.blocks) + len(more) - given.height


async def test_a_whole_node_goes_on_from_one_with_a_checkpoint(tmp_path: Path) -> None:
    """And a node that begins with the genesis is refused there, and asks another."""
    given = await made(tmp_path / "other", 12)
    more = given.world.chain(given.blocks[-1], "more", 9, first=12)
    async with (
        network() as net,
        net_node(net, "whole", given.world) as whole,
        net_node(net, "new", given.world) as new,
        fresh(net, "fresh", given, tmp_path / "fresh", Rule.ONLINE) as node,
    ):
        await give(whole.follow, given.blocks)
        await give(node.follow, [*given.later, *more])
        await quiet(node.follow)

        assert await whole.sync.download(["fresh"])
        assert whole.follow.tip.id == more[-1].id
        assert node.serving.blocks == len(more)
        await new.sync.download(["fresh"])
        assert new.sync.ends.keys() == {PeerEnd.REFUSED}
        assert await new.sync.download(["fresh", "whole"])
        assert new.follow.tip.id == more[-1].id
        assert not new.sync.diverged
        assert not any(each.is_fault for each in new.sync.ends)
        assert node.serving.blocks == len(more)


async def test_a_peer_that_is_behind_is_no_peer_of_another_chain(tmp_path: Path) -> None:
    given = await made(tmp_path / "other", 12)
    async with (
        network() as net,
        net_node(net, "behind", given.world) as behind,
        net_node(net, "whole", given.world) as whole,
        fresh(net, "fresh", given, tmp_path / "fresh", Rule.ONLINE) as node,
    ):
        await give(behind.follow, given.blocks[: given.height - 3])
        await give(whole.follow, given.blocks)

        assert await node.sync.download(["behind", "whole"])
        assert node.follow.tip.id == given.blocks[-1].id
        assert not node.sync.diverged
        assert not any(each.is_fault for each in node.sync.ends)


async def test_two_nodes_of_one_checkpoint_sync_from_each_other(tmp_path: Path) -> None:
    given = await made(tmp_path / "other", 10, World(TWO))
    async with (
        network() as net,
        fresh(net, "a", given, tmp_path / "a") as one,
        fresh(net, "b", given, tmp_path / "b") as two,
    ):
        await give(one.follow, given.later)
        assert await two.sync.download(["a"])
        assert two.follow.tip.id == given.blocks[-1].id
        assert await state_of(one.follow) == await state_of(two.follow)


@pytest.mark.stress
@pytest.mark.timeout(1800)
async def test_a_fresh_node_syncs_a_long_chain_and_then_again_from_a_checkpoint(
    tmp_path: Path,
) -> None:
    world = World()
    blocks = world.chain(world.root, "main", BLOCKS)
    path, tip = tmp_path / "checkpoint", blocks[-1].id
    async with (
        asyncio.TaskGroup() as tasks,
        opened(tmp_path / "whole.sqlite", world) as store,
        opened(tmp_path / "new.sqlite", world) as other,
    ):
        net = Network(tasks)
        async with (
            net_node(net, "whole", world, store, rule=Rule.ONLINE) as whole,
            net_node(net, "new", world, other, rule=Rule.ONLINE) as new,
        ):
            assert set(await give(whole.follow, blocks)) == {None}
            await quiet(whole.follow)
            assert await new.sync.download(["whole"])
            assert new.follow.tip.id == tip
            assert whole.serving.blocks == BLOCKS

            found = await exported(store, world, path)
            after = BLOCKS - found.summary.height
            assert 0 < after < 100
            given = Made(world, blocks, path, found)
            async with fresh(net, "fresh", given, tmp_path / "fresh", Rule.ONLINE) as node:
                assert await node.sync.download(["whole"])
                assert node.follow.tip.id == tip
                assert await state_of(node.follow) == await state_of(new.follow)
                assert whole.serving.blocks == BLOCKS + after
