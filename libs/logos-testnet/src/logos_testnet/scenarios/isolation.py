"""Isolation: a node that is cut off goes on when it is healed, and the others meanwhile."""
# ruff: noqa: S101 - a scenario is a test

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_testnet.scenarios.files import CALL_TIMEOUT_S, get, put, sample
from logos_testnet.scenarios.waiting import until_whole
from logos_testnet.testnet import Testnet, front_door

SHORT_S = 5
"""Patience of a fetch that cannot succeed."""


async def a_fetch_waits_until_its_node_is_healed(testnet: Testnet) -> None:
    """Cut off, it finds nobody, and says so; healed, it keeps all of it. Others are untouched."""
    provider, other, lone = (testnet.plan.nodes[at].name for at in (0, 1, 3))
    content = sample(3 * 1024 * 1024 + 1, "isolated")
    cid = await put(testnet, provider, content)

    await testnet.isolate(lone)
    await testnet.isolate(lone)

    assert await testnet.isolated() == {lone}
    assert set(await testnet.troubles()) == {lone}
    failed = await _fetch(testnet, lone, cid, SHORT_S)
    assert failed.state == storage_pb2.FETCH_STATE_FAILED
    assert failed.reason in {"NO_PROVIDERS", "PROVIDERS_UNREACHABLE"}
    assert failed.held_bytes == 0
    assert await get(testnet, other, cid) == content

    await testnet.heal(lone)

    assert await testnet.isolated() == frozenset()
    await until_whole(testnet)
    done = await _fetch(testnet, lone, cid, int(CALL_TIMEOUT_S))
    assert done.state == storage_pb2.FETCH_STATE_DONE, done
    assert await get(testnet, lone, cid, local_only=True) == content


async def _fetch(
    testnet: Testnet, node: str, cid: str, patience_s: int
) -> storage_pb2.FetchProgress:
    """Has a node fetch a file and keep it; returns how that ended."""
    request = storage_pb2.FetchRequest(cid=cid)
    request.patience.FromSeconds(patience_s)
    async with front_door(testnet, node) as channel:
        stub = storage_pb2_grpc.StorageStub(channel)
        last = (await stub.Fetch(request, timeout=CALL_TIMEOUT_S)).progress
        watch = storage_pb2.WatchFetchRequest(cid=cid)
        async for response in stub.WatchFetch(watch, timeout=2 * CALL_TIMEOUT_S):
            last = response.progress
    return last
