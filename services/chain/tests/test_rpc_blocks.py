"""FOL-20, GEN-14: blocks, forks and the standing of a node, as callers see them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from chain_rpc import Served, ServedWorld, pages, refused, served
from chain_world import TWO, until

from logos.chain.v1 import admin_pb2
from logos.chain.v1 import chain_pb2 as pb
from logos_chain.config import Config
from logos_chain.core.blocks import kept_block
from logos_chain.core.consensus.starting import Phase
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.node_ports import ASKED, START_OVER_MARK

MAX_U64 = 2**64 - 1
FORGED = ("x", "00", "0" * 15, "f" * 16, "8" + "0" * 15, "\u0660" * 16, "0" * 4000)
"""Page tokens that no node has made."""


@pytest.fixture
async def node() -> AsyncIterator[Served]:
    async with served() as found:
        yield found


async def test_where_the_chain_and_the_node_stand(node: Served) -> None:
    await node.take(*node.world.chain(node.world.root, "a", 5))
    found = await node.chain.GetInfo(pb.GetInfoRequest())

    spec, tip = node.world.spec, node.tip
    assert (found.chain_id, found.preset, found.is_insecure) == ("test", "two", False)
    assert (found.genesis_id, found.spec_hash) == (spec.genesis_id, spec.hash)
    assert (found.slot_ms, found.slots_per_block, found.finality_blocks) == (1000, 2, 2)
    assert found.genesis_time.ToMilliseconds() == 0
    assert found.slot == node.node.clock.ms // 1000
    assert (found.phase, found.HasField("online_at")) == (pb.PHASE_ONLINE, False)
    assert (found.tip.id, found.tip.height, found.tip.slot) == (tip.id, 5, tip.header.slot)
    assert found.final.height == 3
    assert found.epoch.first_slot <= found.slot < found.epoch.end_slot
    assert [each.name for each in found.circuits] == sorted(spec.keys.hashes)
    assert found.leading.is_switched_off
    assert not found.leading.is_leading
    assert found.leading.standing == "switched off"
    assert (found.mempool_transactions, found.diverged_peers) == (0, 0)


async def test_a_block_is_found_by_id_and_by_height(node: Served) -> None:
    chain = node.world.chain(node.world.root, "a", 5)
    await node.take(*chain)
    for height, block in enumerate([node.world.root, *chain]):
        found = await node.chain.GetBlock(pb.GetBlockRequest(id=block.id))
        assert found == await node.chain.GetBlock(pb.GetBlockRequest(height=height))
        header, summary = block.header, found.summary
        assert (summary.point.id, summary.point.height) == (block.id, height)
        assert (summary.parent, summary.transactions) == (header.parent, len(block.transactions))
        assert summary.size_bytes == len(block.encode())
        assert summary.time.ToMilliseconds() == header.slot * 1000
        assert (summary.is_final, summary.is_on_chain) == (height <= 3, True)
        assert found.confirmations == 6 - height
        assert found.body_root == header.body_root
        assert found.voucher == header.leadership.voucher
        assert found.leader_key == header.leadership.leader_key
    assert (await node.chain.GetBlock(pb.GetBlockRequest(height=4))).children == [chain[4].id]


async def test_a_block_that_is_not_there_or_not_named_is_refused(node: Served) -> None:
    call = node.chain.GetBlock
    unknown, invalid = ("NOT_FOUND", "BLOCK_UNKNOWN"), ("INVALID_ARGUMENT", "INVALID_ID")
    assert await refused(call(pb.GetBlockRequest())) == ("INVALID_ARGUMENT", "BLOCK_MISSING")
    assert await refused(call(pb.GetBlockRequest(id=bytes(32)))) == unknown
    assert await refused(call(pb.GetBlockRequest(height=1))) == unknown
    assert await refused(call(pb.GetBlockRequest(height=MAX_U64))) == unknown
    for each in (b"", bytes(31), bytes(33)):
        assert await refused(call(pb.GetBlockRequest(id=each))) == invalid


async def test_the_chain_is_listed_from_the_tip_down(node: Served) -> None:
    chain = [node.world.root, *node.world.chain(node.world.root, "a", 24)]
    await node.take(*chain[1:])
    expected = [each.id for each in reversed(chain)]
    for size, counts in ((0, [20, 5]), (5, [5] * 5), (MAX_U64 >> 32, [25])):
        found = await pages(node.chain.ListBlocks, pb.ListBlocksRequest(page_size=size), "blocks")
        assert [len(each) for each in found] == counts
        assert [each.point.id for page in found for each in page] == expected
    far = pb.ListBlocksRequest(page_token="7" + "f" * 15)
    assert (await node.chain.ListBlocks(far)).blocks[0].point.id == chain[-1].id


async def test_a_thousand_transactions_of_a_block_are_listed_in_their_order(node: Served) -> None:
    made = [node.world.spend(0, f"{each}") for each in range(1000)]
    block = node.world.make(node.world.root, "large", made)
    node.node.store.kept[BlockId(block.id)] = kept_block(block, block.encode(), 1)
    request = pb.ListBlockTransactionsRequest(id=block.id, page_size=1_000_000)

    found = await pages(node.chain.ListBlockTransactions, request, "transactions")

    assert [len(each) for each in found] == [100] * 10
    assert [each.hash for page in found for each in page] == [each.hash for each in made]
    one, sent = found[0][0], made[0]
    assert (one.raw, one.size_bytes) == (b"", len(sent.encoded))
    [operation] = one.operations
    assert (operation.kind, len(operation.outputs)) == ("TRANSFER", 1)
    assert operation.inputs == [node.world.funds[0]]
    past = pb.ListBlockTransactionsRequest(id=block.id, page_token="7" + "f" * 15)
    assert await node.chain.ListBlockTransactions(past) == pb.ListBlockTransactionsResponse()


@pytest.mark.parametrize("token", FORGED)
async def test_a_forged_token_is_no_page(node: Served, token: str) -> None:
    invalid = ("INVALID_ARGUMENT", "INVALID_PAGE")
    root = node.world.root.id
    chain = node.chain
    assert await refused(chain.ListBlocks(pb.ListBlocksRequest(page_token=token))) == invalid
    of_block = pb.ListBlockTransactionsRequest(id=root, page_token=token)
    assert await refused(chain.ListBlockTransactions(of_block)) == invalid
    assert await refused(chain.ListMempool(pb.ListMempoolRequest(page_token=token))) == invalid


async def test_transactions_of_no_block_are_refused(node: Served) -> None:
    call = node.chain.ListBlockTransactions
    request = pb.ListBlockTransactionsRequest(id=bytes(32))
    assert await refused(call(request)) == ("NOT_FOUND", "BLOCK_UNKNOWN")
    request = pb.ListBlockTransactionsRequest(id=b"short")
    assert await refused(call(request)) == ("INVALID_ARGUMENT", "INVALID_ID")


async def test_forks_are_listed_with_the_local_chain_first(node: Served) -> None:
    common = node.world.chain(node.world.root, "common", 2)
    local = node.world.chain(common[-1], "local", 2, first=2)
    other = node.world.chain(common[-1], "other", 1, first=2)
    await node.take(*common, *local, *other)

    one, two = (await node.chain.ListForks(pb.ListForksRequest())).forks

    assert (one.tip.id, one.common.id, one.blocks, one.local_blocks) == (
        local[-1].id,
        local[-1].id,
        0,
        0,
    )
    assert (two.tip.id, two.common.id) == (other[-1].id, common[-1].id)
    assert (two.blocks, two.local_blocks) == (1, 2)


# -- the operator ----------------------------------------------------------------------------------


async def test_leading_is_switched_and_told(node: Served) -> None:
    for is_on in (True, False):
        await node.admin.SetLeading(admin_pb2.SetLeadingRequest(is_on=is_on))
        found = (await node.chain.GetInfo(pb.GetInfoRequest())).leading
        assert found.is_switched_off != is_on
    node.node.marks.fails = True
    call = node.admin.SetLeading(admin_pb2.SetLeadingRequest(is_on=True))
    assert await refused(call) == ("UNAVAILABLE", "STORE_FAILED")
    assert (await node.chain.GetInfo(pb.GetInfoRequest())).leading.is_switched_off


async def test_a_bootstrap_that_is_forced_is_told_with_its_end() -> None:
    """CON-27."""
    world = ServedWorld(replace(TWO, prolonged_bootstrap_ms=60_000))
    async with served(world=world, is_online=False) as node:
        start, clock = node.rooms.start, node.node.clock
        await until(lambda: start.phase is Phase.PROLONGED)
        assert (await node.chain.GetInfo(pb.GetInfoRequest())).phase == pb.PHASE_PROLONGED
        clock.ms += 60_000
        start._driver.put(start._machine.tick)
        await node.online()
        assert (await node.chain.GetInfo(pb.GetInfoRequest())).phase == pb.PHASE_ONLINE

        await node.admin.ForceBootstrap(admin_pb2.ForceBootstrapRequest())

        found = await node.chain.GetInfo(pb.GetInfoRequest())
        assert found.phase == pb.PHASE_PROLONGED
        assert found.online_at.ToMilliseconds() == clock.ms + 60_000


async def with_a_peer() -> Sequence[str]:
    return ["a"]


async def test_an_order_to_start_over_is_noted_and_ends_the_node() -> None:
    """CON-50."""
    async with served() as node:
        node.rooms.peers.connected = with_a_peer  # type: ignore[method-assign]
        await node.admin.StartOver(admin_pb2.StartOverRequest())

        assert node.node.marks.numbers[START_OVER_MARK] == ASKED
        assert node.stopping.is_set()


async def test_a_node_without_peers_keeps_its_chain() -> None:
    """CON-50."""
    async with served() as node:
        call = node.admin.StartOver(admin_pb2.StartOverRequest())
        assert await refused(call) == ("FAILED_PRECONDITION", "START_OVER_ALONE")
        assert START_OVER_MARK not in node.node.marks.numbers
        assert not node.stopping.is_set()


@pytest.mark.parametrize("content", [None, b"no checkpoint"])
async def test_a_node_whose_checkpoint_cannot_be_read_keeps_its_chain(
    tmp_path: Path, content: bytes | None
) -> None:
    """CON-50."""
    path = tmp_path / "checkpoint"
    if content is not None:
        path.write_bytes(content)
    async with served(config=Config(Path("unused"), lead=False, checkpoint=path)) as node:
        node.rooms.peers.connected = with_a_peer  # type: ignore[method-assign]
        call = node.admin.StartOver(admin_pb2.StartOverRequest())
        assert await refused(call) == ("FAILED_PRECONDITION", "START_OVER_CHECKPOINT")
        assert START_OVER_MARK not in node.node.marks.numbers
        assert not node.stopping.is_set()


async def test_nothing_is_forced_while_the_chain_is_downloaded() -> None:
    async with served(patience_s=60.0, is_online=False) as node:
        await until(lambda: node.rooms.start.phase is Phase.DOWNLOADING)
        found = await node.chain.GetInfo(pb.GetInfoRequest())
        assert (found.phase, found.download_target_slot) == (pb.PHASE_DOWNLOADING, 0)
        for call in (
            node.admin.ForceBootstrap(admin_pb2.ForceBootstrapRequest()),
            node.admin.StartOver(admin_pb2.StartOverRequest()),
        ):
            assert await refused(call) == ("FAILED_PRECONDITION", "CHAIN_DOWNLOADING")
        assert not node.stopping.is_set()
