"""Nodes in processes of their own sign records, keep them over kills, and tell of one another."""

import asyncio
import signal
from contextlib import suppress

import grpc
import pytest

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import delivery_pb2_grpc as pb_grpc
from logos.delivery.v1 import light_pb2, light_pb2_grpc
from logos_delivery.core.enr import record
from logos_testnet.progress import silent
from logos_testnet.testnet import Testnet, front_door

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PATIENCE_S = 120.0
NODES = ("service", "publisher", "other", "light")


async def info(testnet: Testnet, name: str) -> pb.GetNodeInfoResponse:
    async with front_door(testnet, name) as channel:
        stub = pb_grpc.DeliveryStub(channel)
        found: pb.GetNodeInfoResponse = await stub.GetNodeInfo(
            pb.GetNodeInfoRequest(), timeout=PATIENCE_S, wait_for_ready=True
        )
        return found


async def test_each_node_has_a_record_that_a_kill_does_not_change(testnet: Testnet) -> None:
    await testnet.up(silent)
    found = {name: await info(testnet, name) for name in NODES}
    for one in found.values():
        assert one.enr_missing == ""
        assert record.parse(one.enr).peer_id == one.peer_id

    await testnet.kill("other", "delivery", signal.SIGKILL)
    await asyncio.sleep(1)
    await testnet.up(silent)

    assert (await info(testnet, "other")).enr == found["other"].enr


async def test_a_light_node_is_told_of_all_that_relay(testnet: Testnet) -> None:
    await testnet.up(silent)
    wanted = {(await info(testnet, name)).peer_id for name in NODES[:3]}
    service = (await info(testnet, "service")).peer_id
    request = light_pb2.GetPeersRequest(count=60, peer_id=service)
    told: set[str] = set()
    async with asyncio.timeout(PATIENCE_S), front_door(testnet, "light") as channel:
        stub = light_pb2_grpc.PeerExchangeStub(channel)
        while not told >= wanted:
            with suppress(grpc.aio.AioRpcError):  # until they are connected
                found = await stub.GetPeers(request, timeout=PATIENCE_S)
                told = {one.peer_id for one in found.peers}
            await asyncio.sleep(1)
