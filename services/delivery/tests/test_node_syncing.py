"""DST-30 to DST-40: store nodes that were apart, and what a hostile one achieves."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest
from node_answers import TOPIC, subscribe, until_followed

from logos.delivery.v1 import delivery_pb2, store_pb2
from logos_base.errors import StreamLostError
from logos_delivery.core.archive.types import Entry
from logos_delivery.core.light.framing import frame
from logos_delivery.core.message import Message
from logos_delivery.core.sync import transfer, wire
from logos_module.errors import reason_of
from logos_module.network.streams import PeerStream, PeerStreams

Net = Any
SHARD = "/waku/2/rs/3/2"
ON = {"sync": True, "sync_interval_s": 0}
GARBAGE = b"\xff" * 40


def old(number: int, *, age_s: int = 60) -> Entry:
    """A message that was sent some time ago."""
    stamp = time.time_ns() - age_s * 1_000_000_000 + number
    return Entry.of(SHARD, Message(b"%d" % number, TOPIC, timestamp_ns=stamp))


def hashes(entries: list[Entry]) -> set[bytes]:
    return {entry.hash for entry in entries}


async def kept(node: Any) -> set[bytes]:
    """The hashes of all that a node keeps."""
    found: set[bytes] = set()
    request = store_pb2.StoreQueryRequest(pagination_forward=True, pagination_limit=100)
    while True:
        page = await node.store.Query(request)
        found |= {one.message_hash for one in page.messages}
        if not page.HasField("pagination_cursor"):
            return found
        request.pagination_cursor = page.pagination_cursor


async def store_node(net: Net, number: int, **settings: Any) -> Any:
    """A node that others can reconcile with."""
    node = await net.node(number, **{**ON, **settings})
    while not {wire.PROTOCOL, transfer.PROTOCOL} <= node.network.host.accepted:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return node


async def until_kept(node: Any, expected: set[bytes]) -> None:
    while await kept(node) != expected:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def sync(node: Any, peer: str = "") -> Any:
    return await node.store.Sync(store_pb2.SyncRequest(peer_id=peer))


async def test_two_store_nodes_that_were_apart_are_equal_afterwards(net: Net) -> None:
    common = [old(number) for number in range(300)]
    ones = [old(number) for number in range(1_000, 1_020)]
    twos = [old(number) for number in range(2_000, 2_007)]
    await net.fill(1, [*common, *ones])
    await net.fill(2, [*common, *twos])
    one, two = await store_node(net, 1), await store_node(net, 2)
    report = await sync(one, two.peer_id)
    assert (report.peer_id, report.received, report.sent) == (two.peer_id, 7, 20)
    assert report.bytes > 0
    every = hashes([*common, *ones, *twos])
    assert await kept(one) == every
    await until_kept(two, every)
    again = await sync(two, one.peer_id)
    assert (again.received, again.sent) == (0, 0)
    page = await one.store.Query(
        store_pb2.StoreQueryRequest(message_hashes=[twos[0].hash], include_data=True)
    )
    [found] = page.messages
    assert (found.message.payload, found.pubsub_topic) == (b"2000", SHARD)


async def test_nodes_reconcile_by_themselves_with_one_that_they_find(net: Net) -> None:
    entries = [old(number) for number in range(5)]
    await net.fill(1, entries)
    await store_node(net, 1)
    two = await store_node(net, 2, sync_interval_s=1)
    await until_kept(two, hashes(entries))


async def test_what_was_kept_since_the_start_is_compared(net: Net) -> None:
    one, other = await store_node(net, 1, sync_offset_s=0), await net.node(2)
    for node in (one, other):
        await subscribe(node, TOPIC)
    await until_followed(other)
    request = delivery_pb2.SendRequest(content_topic=TOPIC, payload=b"new")
    accepted = await other.delivery.Send(request)
    await until_kept(one, {accepted.message_hash})
    late = await store_node(net, 3, sync_offset_s=0)
    assert await kept(late) == set()
    report = await sync(late, one.peer_id)
    assert (report.received, report.sent) == (1, 0)
    assert await kept(late) == {accepted.message_hash}


async def test_an_edge_node_keeps_what_reconciliation_brings(net: Net) -> None:
    entries = [old(number) for number in range(5)]
    await net.fill(1, entries)
    await store_node(net, 1)
    edge = await net.node(2, mode="edge", store=True, sync=True, sync_interval_s=1)
    await until_kept(edge, hashes(entries))


async def test_what_is_older_than_the_range_stays_where_it_is(net: Net) -> None:
    recent, older = old(1), old(2, age_s=600)
    await net.fill(1, [recent, older])
    await store_node(net, 1, sync_range_s=300)
    two = await store_node(net, 2, sync_range_s=300)
    assert (await sync(two)).received == 1
    assert await kept(two) == {recent.hash}


@pytest.mark.parametrize(
    ("settings", "peer", "reason"),
    [
        ({}, "", "SYNC_OFF"),
        ({"sync": True, "store": False}, "", "STORE_OFF"),
        ({"sync": True, "mode": "edge"}, "", "STORE_OFF"),
        (ON, "", "STORE_NODE_MISSING"),
        (ON, "no peer", "STORE_PEER_FAILED"),
    ],
)
async def test_what_cannot_be_reconciled(
    net: Net, settings: dict[str, Any], peer: str, reason: str
) -> None:
    node = await net.node(1, **settings)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await sync(node, peer)
    assert reason_of(refused.value) == reason


@asynccontextmanager
async def hostile(net: Net, number: int, answer: bytes) -> AsyncIterator[str]:
    """A node that answers every reconciliation with these bytes."""
    network = await net.network(number)

    async def serve(stream: PeerStream) -> None:
        await stream.receive()
        await stream.send((answer,))
        while await stream.receive() is not None:
            pass

    streams = PeerStreams(network.channel, "delivery")
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(streams.listen(wire.PROTOCOL, serve, asyncio.Semaphore(8)))
        yield network.peer_id
        serving.cancel()


async def refusal_of(node: Any, peer: str) -> grpc.aio.AioRpcError:
    """Why a reconciliation with a node failed that could be reached."""
    while True:
        try:
            await sync(node, peer)
        except grpc.aio.AioRpcError as error:
            if "cannot be reached" not in (error.details() or ""):
                return error
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (frame(GARBAGE), "SYNC_PAYLOAD_MALFORMED"),
        (b"\xff\xff\xff\x7f", "SYNC_LOST"),  # the length of a message that is too long
        (frame(b"\x80" + GARBAGE), "SYNC_PAYLOAD_"),
    ],
    ids=["garbage", "too long", "too many topics"],
)
async def test_a_hostile_answer_ends_a_reconciliation_with_a_named_error(
    net: Net, answer: bytes, reason: str
) -> None:
    await net.fill(1, [old(1)])
    one = await store_node(net, 1)
    async with hostile(net, 2, answer) as peer:
        error = await refusal_of(one, peer)
        assert reason_of(error) == "STORE_PEER_FAILED"
        assert reason in (error.details() or "")
    assert len(await kept(one)) == 1


async def test_messages_that_are_not_asked_for_are_not_kept(net: Net) -> None:
    one = await store_node(net, 1)
    stranger = PeerStreams((await net.network(2)).channel, "delivery")
    for raw in (transfer.encode(old(1)), GARBAGE):
        async with stranger.open(one.peer_id, transfer.PROTOCOL) as stream:
            assert await ended(stream, frame(raw))
    stats = await one.store.GetStats(store_pb2.StoreGetStatsRequest())
    assert stats.messages == 0
    assert dict(stats.refused) == {"TRANSFER_UNWANTED": 2}


async def test_a_stranger_cannot_keep_nodes_from_each_other(net: Net) -> None:
    entries = [old(number) for number in range(3)]
    await net.fill(1, entries)
    one, two = await store_node(net, 1), await store_node(net, 2)
    stranger = PeerStreams((await net.network(3)).channel, "delivery")
    for raw in (frame(GARBAGE), b"\xff\xff\xff\x7f", frame(b"\0" * 100)):
        async with stranger.open(one.peer_id, wire.PROTOCOL) as stream:
            assert await ended(stream, raw)
    assert (await sync(two, one.peer_id)).received == 3


async def ended(stream: PeerStream, raw: bytes) -> bool:
    """Whether the other side ends or resets a stream on which this is sent."""
    with suppress(StreamLostError):
        await stream.send((raw,))
        while await stream.receive() is not None:
            pass
    return True
