"""Puts: an unfinished one leaves nothing, however it was aborted."""
# ruff: noqa: S101 - a scenario is a test

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_client.channels import open_channel
from logos_testnet.scenarios.broken_calls import WAYS, Breaking
from logos_testnet.scenarios.files import get, put, sample
from logos_testnet.scenarios.waiting import RECOVERY_S
from logos_testnet.testnet import Testnet, front_door

CALLS: Final = 300
"""Of each way. Before the fault was fixed, about one in 200 was stored."""


async def a_put_that_breaks_off_leaves_nothing(testnet: Testnet) -> None:
    """Cancelled, timed out, disconnected: none is stored, none keeps space reserved."""
    node = testnet.plan.nodes[0]
    before = await _held(testnet, node.name)
    header = storage_pb2.PutRequest(header=storage_pb2.PutRequest.Header())
    for way in WAYS:
        data = storage_pb2.PutRequest(data=sample(1000, f"broken/{way}"))
        breaking = Breaking(
            lambda: open_channel(node.front, testnet.bearer), _begin, [header, data], way
        )
        await breaking.run(CALLS)
    async with asyncio.timeout(RECOVERY_S):
        while (held := await _held(testnet, node.name))[2]:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.1)

    assert held == before, "an unfinished put was stored"
    content = sample(1000, "finished")
    assert await get(testnet, node.name, await put(testnet, node.name, content)) == content


def _begin(channel: grpc.aio.Channel, timeout: float | None) -> Any:
    return storage_pb2_grpc.StorageStub(channel).Put(timeout=timeout)


async def _held(testnet: Testnet, node: str) -> tuple[frozenset[str], int, int]:
    """Returns CIDs, bytes used and bytes reserved."""
    async with front_door(testnet, node) as channel:
        stub = storage_pb2_grpc.StorageStub(channel)
        cids = frozenset([cid async for cid in _cids(stub)])
        space = await stub.Space(storage_pb2.SpaceRequest(), timeout=RECOVERY_S)
        return cids, space.used_bytes, space.reserved_bytes


async def _cids(stub: "storage_pb2_grpc.StorageAsyncStub") -> AsyncIterator[str]:
    request = storage_pb2.ListRequest(page_size=1000)
    while True:
        page = await stub.List(request, timeout=RECOVERY_S)
        for dataset in page.datasets:
            yield dataset.cid
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
