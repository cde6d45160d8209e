"""`Fetch` and what belongs to it, over a network of nodes (STO-37 to STO-39)."""

import asyncio
import hashlib
from typing import Any

import grpc
import pytest

from logos.storage.v1 import storage_pb2 as pb
from logos_module.errors import reason_of
from logos_storage.core import wire
from logos_storage.core.cid import MANIFEST, Cid, parse_text

CONTENT = hashlib.shake_128(b"keep").digest(3 * 1024 * 1024 + 100)
UNKNOWN = str(Cid(MANIFEST, hashlib.sha256(b"nobody has this").digest()))


def patience(milliseconds: int) -> dict[str, Any]:
    request = pb.FetchRequest()
    request.patience.FromMilliseconds(milliseconds)
    return {"patience": request.patience}


async def fetch(node: Any, cid: str, **request: Any) -> pb.FetchProgress:
    return (await node.stub.Fetch(pb.FetchRequest(cid=cid, **request))).progress


async def watched(node: Any, cid: str) -> list[pb.FetchProgress]:
    """How a fetch goes, to its end."""
    call = node.stub.WatchFetch(pb.WatchFetchRequest(cid=cid))
    return [response.progress async for response in call]


async def until(node: Any, cid: str, state: Any) -> pb.FetchProgress:
    """Watches a fetch until it is in a state."""
    call = node.stub.WatchFetch(pb.WatchFetchRequest(cid=cid))
    async for response in call:
        if response.progress.state == state:
            call.cancel()
            return response.progress
    raise AssertionError("it has ended before")


async def refusal_of(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), reason_of(caught.value)


async def put(net: Any, content: bytes = CONTENT, **header: Any) -> str:
    """Puts content on a node `one`, and returns its CID once it is announced."""
    one = await net.node("one")
    cid = (await one.put(content, **header)).cid
    await net.announced(parse_text(cid, MANIFEST).binary, "one")
    return str(cid)


@pytest.mark.parametrize("size", [0, 1, 65_537, len(CONTENT)])
async def test_content_is_kept_without_being_sent(net: Any, size: int) -> None:
    cid = await put(net, CONTENT[:size], filename="a.bin")
    two = await net.node("two")

    begun = await fetch(two, cid)
    *_, ended = await watched(two, cid)

    assert (begun.cid, ended.cid) == (cid, cid)
    assert begun.started_at.seconds > 1_700_000_000
    assert ended.state == pb.FETCH_STATE_DONE
    assert ended.ended_at.ToNanoseconds() >= begun.started_at.ToNanoseconds()
    assert (ended.held_bytes, ended.total_bytes) == (size, size)
    assert (ended.dataset.filename, ended.dataset.size_bytes) == ("a.bin", size)
    assert ended.dataset.blocks_held == ended.dataset.block_count
    assert (ended.reason, ended.providers) == ("", [])
    assert await two.get(cid, local_only=True) == CONTENT[:size]
    await net.announced(parse_text(cid, MANIFEST).binary, "two")


async def test_it_goes_on_when_the_caller_has_gone(net: Any) -> None:
    cid = await put(net)
    slow = Gate(net, "one")
    two = await net.node("two")
    await fetch(two, cid)
    watch = two.stub.WatchFetch(pb.WatchFetchRequest(cid=cid))
    await watch.read()
    watch.cancel()

    slow.open.set()

    assert (await watched(two, cid))[-1].state == pb.FETCH_STATE_DONE
    assert await two.get(cid, local_only=True) == CONTENT


class Gate:
    """Holds back the streams for blocks to a peer until it is opened."""

    def __init__(self, net: Any, peer: str) -> None:
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        self._connect = net.hub.connect
        self._peer = peer
        net.hub.connect = self

    async def __call__(self, peer: str, protocol: str) -> Any:
        if peer == self._peer and protocol == wire.EXCHANGE_PROTOCOL:
            self.asked.set()
            await self.open.wait()
        return await self._connect(peer, protocol)


async def test_the_first_message_is_the_present_state_and_the_last_one_the_end(net: Any) -> None:
    cid = await put(net)
    gate = Gate(net, "one")
    two = await net.node("two")
    await fetch(two, cid)
    await gate.asked.wait()

    watch = aiter(two.stub.WatchFetch(pb.WatchFetchRequest(cid=cid)))
    first = (await anext(watch)).progress
    gate.open.set()
    rest = [response.progress async for response in watch]

    assert first.state == pb.FETCH_STATE_FETCHING
    assert (first.held_bytes, first.total_bytes) == (0, len(CONTENT))
    assert not first.HasField("time_left")
    amounts = [first.held_bytes, *(one.held_bytes for one in rest)]
    assert amounts == sorted(amounts)
    assert [one.state for one in rest if one.HasField("ended_at")] == [pb.FETCH_STATE_DONE]
    assert rest[-1].HasField("ended_at")
    assert await watched(two, cid) == rest[-1:]  # later, too, and no more than that


async def test_a_second_fetch_joins_the_first(net: Any) -> None:
    cid = await put(net)
    gate = Gate(net, "one")
    two = await net.node("two")
    first = await fetch(two, cid)
    await gate.asked.wait()

    second = await fetch(two, cid)

    assert second.started_at == first.started_at
    listed = await two.stub.ListFetches(pb.ListFetchesRequest())
    assert [one.cid for one in listed.fetches] == [cid]
    gate.open.set()
    assert (await watched(two, cid))[-1].state == pb.FETCH_STATE_DONE
    streams = [peer for peer, protocol in net.hub.opened if protocol == wire.EXCHANGE_PROTOCOL]
    assert streams == ["one"]


async def test_a_get_shares_what_a_fetch_brings(net: Any) -> None:
    cid = await put(net)
    gate = Gate(net, "one")
    two = await net.node("two")
    await fetch(two, cid)
    await gate.asked.wait()

    async with asyncio.TaskGroup() as tasks:
        getting = tasks.create_task(two.get(cid))
        gate.open.set()

    assert getting.result() == CONTENT
    assert (await watched(two, cid))[-1].state == pb.FETCH_STATE_DONE
    streams = [peer for peer, protocol in net.hub.opened if protocol == wire.EXCHANGE_PROTOCOL]
    assert streams == ["one"]


async def test_it_waits_for_a_provider_and_says_so(net: Any) -> None:
    two = await net.node("two", fetch_timeout_ms=1000)
    one = await net.node("one")
    dataset = await one.put(CONTENT)
    manifest = parse_text(dataset.cid, MANIFEST).binary
    await net.announced(manifest, "one")
    net.hub.providers[manifest].clear()

    await fetch(two, dataset.cid)
    waiting = await until(two, dataset.cid, pb.FETCH_STATE_WAITING)

    assert (waiting.reason, waiting.total_bytes) == ("NO_PROVIDERS", 0)
    assert "no node was found" in waiting.detail
    assert waiting.next_try_at.ToNanoseconds() > waiting.started_at.ToNanoseconds()
    net.hub.providers[manifest].append("one")
    await fetch(two, dataset.cid)  # tries at once
    assert (await watched(two, dataset.cid))[-1].state == pb.FETCH_STATE_DONE


async def test_it_fails_when_its_patience_ends(net: Any) -> None:
    two = await net.node("two", fetch_timeout_ms=60_000)

    await fetch(two, UNKNOWN, **patience(1000))
    *_, ended = await watched(two, UNKNOWN)

    assert (ended.state, ended.reason) == (pb.FETCH_STATE_FAILED, "NO_PROVIDERS")
    assert (await two.datasets.space()).datasets == 0


async def test_what_no_retry_mends_ends_it(net: Any) -> None:
    cid = await put(net)
    two = await net.node("two", quota_bytes=1024 * 1024)

    await fetch(two, cid)
    *_, ended = await watched(two, cid)

    assert (ended.state, ended.reason) == (pb.FETCH_STATE_FAILED, "QUOTA_EXCEEDED")
    space = await two.datasets.space()
    assert (space.datasets, space.used_bytes, space.reserved_bytes) == (0, 0, 0)


@pytest.mark.parametrize("method", ["CancelFetch", "Delete"])
async def test_it_can_be_ended(net: Any, method: str) -> None:
    cid = await put(net)
    gate = Gate(net, "one")
    two = await net.node("two")
    await fetch(two, cid)
    await gate.asked.wait()

    if method == "Delete":
        await two.stub.Delete(pb.DeleteRequest(cid=cid))
    else:
        cancelled = (await two.stub.CancelFetch(pb.CancelFetchRequest(cid=cid))).progress
        assert cancelled.state == pb.FETCH_STATE_CANCELLED
        again = (await two.stub.CancelFetch(pb.CancelFetchRequest(cid=cid))).progress
        assert again == cancelled

    assert [one.state for one in await watched(two, cid)] == [pb.FETCH_STATE_CANCELLED]
    space = await two.datasets.space()
    assert (space.datasets, space.reserved_bytes) == (0, 0)
    gate.open.set()
    await fetch(two, cid)
    assert (await watched(two, cid))[-1].state == pb.FETCH_STATE_DONE


async def test_what_came_before_a_cancel_is_kept_and_not_fetched_again(net: Any) -> None:
    cid = await put(net)
    two = await net.node("two")
    await two.get(cid, length=1)
    gate = Gate(net, "one")
    begun = await fetch(two, cid)
    await gate.asked.wait()

    cancelled = (await two.stub.CancelFetch(pb.CancelFetchRequest(cid=cid))).progress

    assert cancelled.held_bytes == 65536
    stat = await two.stub.Stat(pb.StatRequest(cid=cid))
    assert stat.dataset.blocks_held == 1
    gate.open.set()
    assert (await fetch(two, cid)).started_at.ToNanoseconds() >= begun.started_at.ToNanoseconds()
    assert (await watched(two, cid))[-1].state == pb.FETCH_STATE_DONE


async def test_one_of_what_is_here_is_done(net: Any) -> None:
    cid = await put(net)
    two = await net.node("two")
    await two.get(cid)

    await fetch(two, cid)

    assert (await watched(two, cid))[-1].state == pb.FETCH_STATE_DONE


async def test_it_is_listed_page_by_page_newest_first(net: Any) -> None:
    two = await net.node("two")
    cids = [str(Cid(MANIFEST, hashlib.sha256(bytes([number])).digest())) for number in range(5)]
    for cid in cids:
        await fetch(two, cid)

    first = await two.stub.ListFetches(pb.ListFetchesRequest(page_size=3))
    token = first.next_page_token
    rest = await two.stub.ListFetches(pb.ListFetchesRequest(page_token=token))

    assert [one.cid for one in (*first.fetches, *rest.fetches)] == cids[::-1]
    assert not rest.next_page_token
    assert [one.state for one in rest.fetches] == [pb.FETCH_STATE_FETCHING] * 2
    assert first.fetches[0].state == pb.FETCH_STATE_QUEUED  # the fifth: four at a time
    wrong = pb.ListFetchesRequest(page_token="x")  # noqa: S106
    assert await refusal_of(two.stub.ListFetches(wrong)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_PAGE",
    )


@pytest.mark.parametrize("milliseconds", [-1, 0, 999, 7 * 24 * 3_600_000 + 1, 10**14])
async def test_a_patience_out_of_bounds_is_refused(net: Any, milliseconds: int) -> None:
    two = await net.node("two")

    assert await refusal_of(fetch(two, UNKNOWN, **patience(milliseconds))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_PATIENCE",
    )
    assert not (await two.stub.ListFetches(pb.ListFetchesRequest())).fetches


async def test_what_was_not_asked_for_is_unknown_and_no_cid_is_malformed(net: Any) -> None:
    two = await net.node("two")
    unknown = (grpc.StatusCode.NOT_FOUND, "FETCH_UNKNOWN")
    malformed = (grpc.StatusCode.INVALID_ARGUMENT, "CID_MALFORMED")

    assert await refusal_of(watched(two, UNKNOWN)) == unknown
    assert await refusal_of(two.stub.CancelFetch(pb.CancelFetchRequest(cid=UNKNOWN))) == unknown
    assert await refusal_of(fetch(two, "x")) == malformed
    assert await refusal_of(watched(two, "x")) == malformed
    assert await refusal_of(two.stub.CancelFetch(pb.CancelFetchRequest(cid="x"))) == malformed


async def test_a_reader_that_does_not_read_gets_the_newest(net: Any) -> None:
    cid = await put(net)
    gate = Gate(net, "one")
    two = await net.node("two")
    await fetch(two, cid)
    await gate.asked.wait()
    idle = two.stub.WatchFetch(pb.WatchFetchRequest(cid=cid))
    gate.open.set()
    await watched(two, cid)  # meanwhile the idle one has not been read

    messages = [response.progress async for response in idle]

    assert messages[-1].state == pb.FETCH_STATE_DONE


async def test_watches_end_when_the_module_is_about_to_stop(net: Any) -> None:
    two = await net.node("two")
    await fetch(two, UNKNOWN)
    watch = aiter(two.stub.WatchFetch(pb.WatchFetchRequest(cid=UNKNOWN)))
    await anext(watch)

    two.stopping.set()

    async def to_its_end() -> None:
        async for _ in watch:
            pass

    assert await refusal_of(to_its_end()) == (grpc.StatusCode.UNAVAILABLE, "MODULE_DRAINING")
