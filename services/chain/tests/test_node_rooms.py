"""LEA-1, LEA-12, WAL-30, CON-29: the rooms of a node are joined, and take up what was left."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chain_leading import Running
from chain_rpc import OWN, Served, ServedNode, served
from chain_wallet import SHOP
from chain_world import until
from mixnet_nodes import fake_peer_id

from logos.chain.v1 import admin_pb2, chain_pb2, transaction_pb2
from logos.chain.v1 import wallet_pb2 as pb
from logos_chain.config import Config
from logos_chain.core.consensus.starting import Phase
from logos_chain.node.telling import said, tell
from logos_chain.operations.starting import ONLINE_MARK, FirstDownloadFailedError
from logos_module.run import _cause_of

LEADS = Config(Path("unused"), claim_delay_slots=10)


@pytest.fixture
async def kept() -> AsyncIterator[ServedNode]:
    node = ServedNode()
    async with asyncio.timeout(60):
        yield node
    node.close()


async def send(node: Served) -> pb.SendResponse:
    outputs = [transaction_pb2.Note(value=1000, public_key=SHOP)]
    request = pb.SendRequest(outputs=outputs, idempotency_key=b"k")
    found = await node.wallet.Send(request)
    assert isinstance(found, pb.SendResponse)
    return found


async def test_a_node_that_is_started_again_goes_on(kept: ServedNode) -> None:
    async with kept.up() as node:
        await node.take(*node.world.chain(node.world.root, "a", 4))
        await node.admin.SetLeading(admin_pb2.SetLeadingRequest(is_on=True))
        await node.admin.SetLeading(admin_pb2.SetLeadingRequest(is_on=False))
        paid = await send(node)
        before = await node.chain.GetInfo(chain_pb2.GetInfoRequest())
        assert kept.marks.numbers[ONLINE_MARK] == 0

    async with kept.up() as node:
        await node.online()
        await node.settle()
        after = await node.chain.GetInfo(chain_pb2.GetInfoRequest())
        assert (after.tip, after.final, after.epoch) == (before.tip, before.final, before.epoch)
        assert after.mempool_transactions == before.mempool_transactions == 1
        assert after.leading.is_switched_off
        assert await send(node) == paid
        await node.include("with it")
        found = await node.wallet.GetBalance(pb.GetBalanceRequest())
        assert found.confirmed == sum(OWN) - 1000 - paid.fee - paid.tip


async def test_a_node_leads_by_its_wallet_and_keeps_the_voucher() -> None:
    async with served(config=LEADS) as node:
        lead = node.rooms.lead
        await until(lambda: lead.next_win is not None)
        slot = lead.next_win
        assert slot is not None
        node_: Any = node.node
        await Running(node_, node.rooms.follow, lead).lead_at(slot)
        await until(lambda: node.rooms.follow.tip.height == 1)

        found = await node.chain.GetInfo(chain_pb2.GetInfoRequest())

        assert (found.leading.is_leading, found.leading.standing) == (True, "it leads")
        assert (found.leading.proposed, found.leading.on_tip) == (1, 1)
        assert (found.leading.last_slot, found.tip.slot) == (slot, slot)
        await node.settle()
        vouchers = (await node.wallet.ListVouchers(pb.ListVouchersRequest())).vouchers
        block = await node.chain.GetBlock(chain_pb2.GetBlockRequest(height=1))
        assert [each.commitment for each in vouchers] == [block.voucher]
        assert node.node.notes.noted


async def test_the_delay_of_claims_is_the_wallet_s() -> None:
    async with served(config=LEADS) as node:
        assert node.rooms.wallet._claimer._timer._mean_ms == 10_000
    async with served() as node:
        assert node.rooms.wallet._claimer._timer._mean_ms == 0


async def test_the_status_of_the_module_is_told_when_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("logos_chain.node.telling.LOOK_S", 0.001)
    async with served(patience_s=60.0, is_online=False) as node:
        await until(lambda: node.rooms.start.phase is Phase.DOWNLOADING)
        assert said(node.rooms.information) == "it downloads the chain: block 0"
    texts: list[str] = []
    async with served() as node, asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(tell(node.rooms.information, texts.append))
        await until(lambda: bool(texts))
        await node.take(*node.world.chain(node.world.root, "a", 3))
        await until(lambda: texts[-1] == "block 3, final 1")
        telling.cancel()
    assert texts[0] == "block 0, final 0"
    assert len(set(texts)) == len(texts)


async def test_an_error_of_the_body_ends_all_rooms(kept: ServedNode) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with kept.up():
            raise ZeroDivisionError
    assert isinstance(_cause_of(caught.value), ZeroDivisionError)
    async with kept.up() as node:
        await node.online()


async def test_a_node_ends_that_can_follow_none_of_its_peers(kept: ServedNode) -> None:
    """CON-28."""
    kept.config = Config(Path("unused"), initial_peers=(fake_peer_id(2),))
    with pytest.raises(ExceptionGroup) as caught:
        async with kept.up():
            await asyncio.Event().wait()
    assert isinstance(_cause_of(caught.value), FirstDownloadFailedError)
