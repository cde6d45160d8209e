"""Fetches: they survive crashes, and fail with a reason if no node has the content."""
# ruff: noqa: S101 - a scenario is a test

import signal

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_testnet.scenarios.files import CALL_TIMEOUT_S, get, put, sample
from logos_testnet.scenarios.waiting import ready_epoch, until_replaced, until_whole
from logos_testnet.testnet import Testnet, front_door

FETCHED_BYTES = 64 * 1024 * 1024
EARLY_BYTES = 4 * 1024 * 1024
UNKNOWN_CID = "zDvZRwzmAZMxY7KEZyfyAHdXgTujdzPMVxo8GeEqWULkSRhCq7Xn"
"""A manifest of another network."""


async def a_fetch_outlives_its_network_module(testnet: Testnet) -> None:
    """kill -9 of the fetching node's mixnet during the fetch: the same call completes."""
    await _kill_during_fetch(testnet, "mixnet", victim_is_fetcher=True)


async def a_fetch_outlives_its_provider_for_a_while(testnet: Testnet) -> None:
    """kill -9 of the only provider's storage during the fetch: the same call completes."""
    await _kill_during_fetch(testnet, "storage", victim_is_fetcher=False)


async def _kill_during_fetch(testnet: Testnet, module: str, *, victim_is_fetcher: bool) -> None:
    provider, fetcher = testnet.plan.nodes[0].name, testnet.plan.nodes[3].name
    content = sample(FETCHED_BYTES, f"during/{module}")
    cid = await put(testnet, provider, content)
    victim = fetcher if victim_is_fetcher else provider
    async with front_door(testnet, victim) as channel:
        epoch = await ready_epoch(channel, module)
    received, killed = bytearray(), False
    async with front_door(testnet, fetcher) as channel:
        request = storage_pb2.GetRequest(cid=cid)
        call = storage_pb2_grpc.StorageStub(channel).Get(request, timeout=2 * CALL_TIMEOUT_S)
        async for response in call:
            received += response.data
            if not killed and len(received) >= EARLY_BYTES:
                await testnet.kill(victim, module, signal.SIGKILL)
                killed = True
    assert killed
    assert received == content
    await until_replaced(testnet, victim, module, epoch)
    await until_whole(testnet)
    assert await get(testnet, fetcher, cid, local_only=True) == content


async def an_unknown_cid_is_not_found(testnet: Testnet) -> None:
    """NOT_FOUND, NO_PROVIDERS, before the caller's deadline."""
    async with front_door(testnet, testnet.plan.nodes[1].name) as channel:
        request = storage_pb2.GetRequest(cid=UNKNOWN_CID)
        call = storage_pb2_grpc.StorageStub(channel).Get(request, timeout=10)
        try:
            await call.read()
        except grpc.aio.AioRpcError as error:
            refusal = error
        else:
            raise AssertionError("content that no node has was found")
    assert refusal.code() is grpc.StatusCode.NOT_FOUND, refusal.details()
    status = rpc_status.from_call(refusal)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.reason == "NO_PROVIDERS"
