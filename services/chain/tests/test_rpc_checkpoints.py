"""CKP-1, CKP-10: `ExportCheckpoint`, and what a node that began with one tells."""

import asyncio
from pathlib import Path

import pytest
from chain_checkpoints import opened
from chain_rpc import FAUCET_HAS, OWN, ServedWorld, first, refused, served
from chain_world import TWO, until

from logos.chain.v1 import admin_pb2, chain_pb2
from logos_chain.operations.importing import Importing
from logos_chain.operations.wallets import tracking


async def checkpoint_of(world: ServedWorld, folder: Path) -> admin_pb2.CheckpointSummary:
    """Exports a chain of nine blocks through the wire; returns what its first message says."""
    async with opened(folder / "whole", world) as store, served(world=world, store=store) as node:
        for each in range(9):
            await node.extend(f"block {each}")
        call = node.admin.ExportCheckpoint(admin_pb2.ExportCheckpointRequest())
        parts = [each async for each in call]
        again = node.admin.ExportCheckpoint(admin_pb2.ExportCheckpointRequest())
        assert [each async for each in again] == parts
    raw = b"".join(each.chunk for each in parts[1:])
    summary = parts[0].summary
    assert all(each.WhichOneof("part") == "chunk" for each in parts[1:])
    assert max(len(each.chunk) for each in parts) <= 256 * 1024
    assert (len(raw), raw[-32:]) == (summary.size_bytes, summary.hash)
    await asyncio.to_thread((folder / "checkpoint").write_bytes, raw)
    found: admin_pb2.CheckpointSummary = summary
    return found


async def test_a_node_begins_with_what_another_has_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "LOOK_AHEAD", 40)
    world = ServedWorld(TWO)
    summary = await checkpoint_of(world, tmp_path)
    path = tmp_path / "checkpoint"
    async with opened(tmp_path / "fresh", world) as store:
        await Importing(store, world.network, world.spec.hash, path=path).run()
        async with served(world=world, store=store) as node:
            info = await node.chain.GetInfo(chain_pb2.GetInfoRequest())
            assert info.checkpoint_height == summary.block.height == info.final.height > 0
            assert info.checkpoint_hash == summary.hash
            assert (summary.genesis_id, summary.spec_hash) == (info.genesis_id, info.spec_hash)

            await node.extend("next")
            listed = await node.chain.ListBlocks(chain_pb2.ListBlocksRequest(page_size=2))
            assert [each.point.height for each in listed.blocks] == [
                info.final.height + 1,
                info.final.height,
            ]
            assert listed.next_page_token == ""
            for height in (0, info.final.height - 1):
                call = node.chain.GetBlock(chain_pb2.GetBlockRequest(height=height))
                assert await refused(call) == ("NOT_FOUND", "BLOCK_BEFORE_CHECKPOINT")
            found = await node.chain.GetBlock(chain_pb2.GetBlockRequest(id=summary.block.id))
            assert found.summary.is_final
            supply = await node.chain.GetSupply(chain_pb2.GetSupplyRequest())
            assert supply.free >= sum(OWN) + FAUCET_HAS
            assert node.rooms.wallet.balances().confirmed == sum(OWN)


async def test_a_node_that_began_with_the_genesis_says_nothing_of_checkpoints() -> None:
    async with served() as node:
        info = await node.chain.GetInfo(chain_pb2.GetInfoRequest())
        assert (info.checkpoint_height, info.checkpoint_hash) == (0, b"")


async def test_one_export_at_a_time_and_a_caller_that_leaves_makes_room(tmp_path: Path) -> None:
    world = ServedWorld(TWO)
    async with opened(tmp_path / "whole", world) as store, served(world=world, store=store) as node:
        exports = node.rooms.exports
        async with exports.export():
            call = node.admin.ExportCheckpoint(admin_pb2.ExportCheckpointRequest())
            assert await refused(first(call)) == ("RESOURCE_EXHAUSTED", "CHECKPOINT_BUSY")
        left = node.admin.ExportCheckpoint(admin_pb2.ExportCheckpointRequest())
        await left.read()
        left.cancel()
        await until(lambda: not exports._is_busy)
        call = node.admin.ExportCheckpoint(admin_pb2.ExportCheckpointRequest())
        assert [each async for each in call]
