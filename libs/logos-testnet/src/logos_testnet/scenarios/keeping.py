"""Fetches that keep a file on a node: they need no caller, and no second start from nothing."""
# ruff: noqa: S101 - a scenario is a test

import signal
from collections.abc import Callable

import grpc

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_testnet.client import reason_of
from logos_testnet.scenarios.files import CALL_TIMEOUT_S, get, put, sample
from logos_testnet.scenarios.waiting import ready_epoch, until_replaced, until_whole
from logos_testnet.testnet import Testnet, front_door

KEPT_BYTES = 48 * 1024 * 1024
Progress = storage_pb2.FetchProgress


async def keep(
    testnet: Testnet,
    node: str,
    cid: str,
    *,
    patience_s: int = int(CALL_TIMEOUT_S),
    until: Callable[[Progress], bool] = lambda _: False,
) -> list[Progress]:
    """Has a node fetch a file and keep it; returns how that went, to its end or `until`."""
    request = storage_pb2.FetchRequest(cid=cid)
    request.patience.FromSeconds(patience_s)
    async with front_door(testnet, node) as channel:
        stub = storage_pb2_grpc.StorageStub(channel)
        await stub.Fetch(request, timeout=CALL_TIMEOUT_S)
        return await watch(channel, cid, until)


async def watch(
    channel: grpc.aio.Channel, cid: str, until: Callable[[Progress], bool] = lambda _: False
) -> list[Progress]:
    """Watches a fetch to its end, or until what is told is enough."""
    seen = []
    request = storage_pb2.WatchFetchRequest(cid=cid)
    stub = storage_pb2_grpc.StorageStub(channel)
    async for response in stub.WatchFetch(request, timeout=2 * CALL_TIMEOUT_S):
        seen.append(response.progress)
        if until(response.progress):
            break
    return seen


def has_begun(progress: Progress) -> bool:
    """Whether blocks have come, and others are still to come."""
    return 0 < progress.held_bytes < progress.total_bytes


async def a_kept_file_needs_no_caller(testnet: Testnet) -> None:
    """The caller asks, sees it begin and goes; all of it comes, and who sent it is named."""
    provider, fetcher = testnet.plan.nodes[1].name, testnet.plan.nodes[4].name
    content = sample(KEPT_BYTES, "kept")
    cid = await put(testnet, provider, content)

    begun = await keep(testnet, fetcher, cid, until=has_begun)

    async with front_door(testnet, fetcher) as channel:
        rest = await watch(channel, cid)
    assert rest[-1].state == storage_pb2.FETCH_STATE_DONE, rest[-1]
    assert rest[-1].held_bytes == KEPT_BYTES
    amounts = [progress.held_bytes for progress in (*begun, *rest)]
    assert amounts == sorted(amounts)
    (views,) = [
        seen
        for seen, node in zip(await until_whole(testnet), testnet.plan.nodes, strict=True)
        if node.name == provider
    ]
    named = {peer for progress in (*begun, *rest) for peer in progress.providers}
    assert named <= {views.peer_id}  # none where all came between two looks
    assert await get(testnet, fetcher, cid, local_only=True) == content


async def a_fetch_resumes_after_the_end_of_its_storage(testnet: Testnet) -> None:
    """kill -9 of the fetching storage: the fetch is forgotten, and not what it has brought."""
    provider, fetcher = testnet.plan.nodes[0].name, testnet.plan.nodes[2].name
    content = sample(KEPT_BYTES, "resumed")
    cid = await put(testnet, provider, content)
    async with front_door(testnet, fetcher) as channel:
        epoch = await ready_epoch(channel, "storage")
    flushed = 8 * 1024 * 1024

    await keep(testnet, fetcher, cid, until=lambda one: one.held_bytes > flushed)
    await testnet.kill(fetcher, "storage", signal.SIGKILL)

    await until_replaced(testnet, fetcher, "storage", epoch)
    async with front_door(testnet, fetcher) as channel:
        try:
            await watch(channel, cid)
        except grpc.aio.AioRpcError as error:
            assert reason_of(error) == "FETCH_UNKNOWN"  # noqa: PT017 - a scenario is no pytest
        else:
            raise AssertionError("a fetch outlived the process that made it")
    *_, ended = await keep(testnet, fetcher, cid)
    assert ended.state == storage_pb2.FETCH_STATE_DONE, ended
    assert await get(testnet, fetcher, cid, local_only=True) == content
