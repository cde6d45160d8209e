"""Reliable channels of whole nodes: large payloads, restarts, and hostile messages."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import grpc
import node_answers
import pytest
from node_answers import taken, until_followed

from logos.delivery.v1 import channels_pb2 as pb
from logos.delivery.v1 import delivery_pb2, light_pb2
from logos_delivery.core.channels.channel_types import MARKER
from logos_module.errors import reason_of

Net = Any
TOPIC = "/app/1/channel/proto"
ID = "room"
RECEIVED = [pb.CHANNEL_EVENT_KIND_RECEIVED]
OF_REQUEST = [pb.CHANNEL_EVENT_KIND_SENT, pb.CHANNEL_EVENT_KIND_DELIVERED]


async def create(node: Any, sender: str, channel: str = ID, **more: Any) -> None:
    await node.channels.Create(
        pb.ChannelsCreateRequest(
            **{"channel_id": channel, "content_topic": TOPIC, "sender_id": sender, **more}
        )
    )


async def send(node: Any, payload: bytes, channel: str = ID, **more: Any) -> str:
    request = pb.ChannelsSendRequest(channel_id=channel, payload=payload, **more)
    request_id: str = (await node.channels.Send(request)).request_id
    return request_id


async def events(node: Any, **request: Any) -> AsyncGenerator[pb.ChannelEvent, None]:
    watch = pb.ChannelsWatchEventsRequest(**{"after": 0, **request})
    async for page in node.channels.WatchEvents(watch):
        for event in page.events:
            yield event


async def first(node: Any, count: int, **request: Any) -> list[pb.ChannelEvent]:
    return await taken(events(node, **request), count)


async def received(node: Any, count: int) -> list[tuple[str, bytes]]:
    found = await first(node, count, kinds=RECEIVED)
    return [(event.sender_id, event.payload) for event in found]


async def kinds_of(node: Any, request_id: str, count: int = 2) -> list[int]:
    return [event.kind for event in await first(node, count, request_ids=[request_id])]


async def test_a_payload_is_received_by_all_and_acknowledged(net: Net) -> None:
    nodes = [await net.node(number) for number in (1, 2, 3)]
    for node, name in zip(nodes, ("ann", "bob", "cat"), strict=True):
        await create(node, name)
    await until_followed(nodes[0], 2)
    request_id = await send(nodes[0], b"hello")
    for node in nodes[1:]:
        assert await received(node, 1) == [("ann", b"hello")]
    assert await kinds_of(nodes[0], request_id) == OF_REQUEST
    [found] = (await nodes[0].channels.List(pb.ChannelsListRequest())).channels
    assert (found.channel_id, found.sender_id, found.content_topic) == (ID, "ann", TOPIC)
    assert (found.encrypted, found.open_requests) == (False, 0)
    assert found.created_at.seconds > 0


@pytest.mark.stress  # waits for acknowledgements, which take seconds
async def test_a_mebibyte_goes_in_segments_and_payloads_keep_their_order(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    key = os.urandom(32)
    await create(one, "ann", key=key, parity=True)
    await create(two, "bob", key=key)
    await until_followed(one)
    large = os.urandom(1 << 20)
    requests = [await send(one, payload) for payload in (b"before", large, b"after")]
    expected = [("ann", payload) for payload in (b"before", large, b"after")]
    assert await received(two, 3) == expected
    for request_id in requests:
        assert await kinds_of(one, request_id) == OF_REQUEST
    answer = await send(two, b"thanks")
    assert await received(one, 1) == [("bob", b"thanks")]
    assert await kinds_of(two, answer) == OF_REQUEST


@pytest.mark.stress  # waits for acknowledgements, which take seconds
async def test_a_restart_in_the_middle_loses_nothing_that_was_accepted(net: Net) -> None:
    one = await net.node(1)
    await create(one, "ann")
    request_id = await send(one, bytes(300_000))  # no neighbour takes it
    await one.stop()
    one, two = await net.node(1), await net.node(2)
    [found] = (await one.channels.List(pb.ChannelsListRequest())).channels
    assert found.open_requests == 1
    await create(two, "bob")
    assert await received(two, 1) == [("ann", bytes(300_000))]
    assert await kinds_of(one, request_id) == OF_REQUEST
    await two.stop()
    two = await net.node(2)
    await send(one, b"once more")
    assert await received(two, 2) == [("ann", bytes(300_000)), ("ann", b"once more")]


@pytest.mark.stress  # waits for acknowledgements, which take seconds
async def test_a_receiver_that_restarts_in_the_middle_receives_once(net: Net) -> None:
    one, two, three = [await net.node(number) for number in (1, 2, 3)]
    for node, name in ((one, "ann"), (two, "bob"), (three, "cat")):
        await create(node, name)
    await until_followed(one, 2)
    large = os.urandom(1 << 20)
    request_id = await send(one, large)
    await node_answers.first(two, 3, kinds=[delivery_pb2.EVENT_KIND_RECEIVED])
    await two.stop()
    after = await send(one, b"after")
    assert await received(three, 2) == [("ann", large), ("ann", b"after")]
    two = await net.node(2, store_peers=[one.peer_id])
    assert await received(two, 2) == [("ann", large), ("ann", b"after")]
    for each in (request_id, after):
        assert await kinds_of(one, each) == OF_REQUEST
    await send(two, b"thanks")
    assert (await received(one, 1))[0] == ("bob", b"thanks")
    found = await first(two, 2, kinds=RECEIVED)
    watch = pb.ChannelsWatchEventsRequest(after=found[-1].position, kinds=RECEIVED)
    page = await two.channels.WatchEvents(watch).read()
    assert not page.events


@pytest.mark.stress  # waits for acknowledgements, which take seconds
async def test_an_edge_node_takes_part(net: Net) -> None:
    one, edge = await net.node(1), await net.node(2, mode="edge")
    await create(one, "ann")
    await create(edge, "bob")
    while not (await one.filter.ListSubscribers(light_pb2.ListSubscribersRequest())).subscribers:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    third = await net.node(3)  # relay needs a neighbour, too
    await create(third, "cat")
    await until_followed(one)
    to_edge = await send(one, b"to the edge")
    assert await received(edge, 1) == [("ann", b"to the edge")]
    assert await kinds_of(one, to_edge) == OF_REQUEST
    from_edge = await send(edge, b"from the edge")
    for node in (one, third):
        assert ("bob", b"from the edge") in await received(node, 2 if node is third else 1)
    assert await kinds_of(edge, from_edge) == OF_REQUEST


async def test_what_was_sent_while_a_participant_was_away_is_received(net: Net) -> None:
    one, two, three = [await net.node(number) for number in (1, 2, 3)]
    for node, name in ((one, "ann"), (two, "bob"), (three, "cat")):
        await create(node, name)
    await until_followed(one, 2)
    await send(one, b"before")
    assert await received(two, 1) == [("ann", b"before")]
    await two.stop()
    await send(one, b"meanwhile")
    assert await received(three, 2) == [("ann", b"before"), ("ann", b"meanwhile")]
    two = await net.node(2, store_peers=[three.peer_id])
    assert await received(two, 2) == [("ann", b"before"), ("ann", b"meanwhile")]


async def test_messages_of_others_do_no_harm(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    for node, name in ((one, "ann"), (two, "bob")):
        await create(node, name, key=bytes(32))
        await create(node, name, channel="open")
    await until_followed(one)
    hostile = (
        {"payload": b"\xff" * 100, "meta": MARKER},
        {"payload": b"\x0a\x01a\x12\x01b\x1a\x04room", "meta": MARKER},
        {"payload": bytes(140_000), "meta": MARKER},
        {"payload": b"not for channels"},
    )
    for message in hostile:
        request = delivery_pb2.SendRequest(content_topic=TOPIC, **message)
        await one.delivery.Send(request)
    for channel in (ID, "open"):
        await send(one, channel.encode(), channel)
    found = await first(two, 2, kinds=RECEIVED)
    assert {(event.channel_id, event.payload) for event in found} == {
        (ID, ID.encode()),
        ("open", b"open"),
    }


async def test_channels_with_other_keys_or_ids_do_not_meet(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    await create(one, "ann", key=bytes(32))
    await create(two, "bob", key=b"\1" * 32)
    for node, name in ((one, "ann"), (two, "bob")):
        await create(node, name, channel="common")
    await until_followed(one)
    await send(one, b"secret")
    await send(one, b"shared", "common")
    [event] = await first(two, 1)
    assert (event.channel_id, event.payload) == ("common", b"shared")


async def test_a_closed_channel_is_gone_and_may_be_opened_again(net: Net) -> None:
    one = await net.node(1)
    await create(one, "ann")
    request_id = await send(one, b"into the void")
    await one.channels.Close(pb.ChannelsCloseRequest(channel_id=ID))
    [event] = await first(one, 1, request_ids=[request_id])
    assert (event.kind, event.error) == (
        pb.CHANNEL_EVENT_KIND_SEND_ERROR,
        "the channel was closed",
    )
    assert not (await one.channels.List(pb.ChannelsListRequest())).channels
    for call in (send(one, b"x"), one.channels.Close(pb.ChannelsCloseRequest(channel_id=ID))):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert reason_of(refused.value) == "CHANNEL_UNKNOWN"
        assert refused.value.details() == f"unknown channel: {ID}"
    await create(one, "ann")
    await one.stop()
    one = await net.node(1)
    [found] = (await one.channels.List(pb.ChannelsListRequest())).channels
    assert found.open_requests == 0


async def test_an_ephemeral_payload_ends_when_it_is_sent(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    await create(one, "ann")
    await create(two, "bob")
    await until_followed(one)
    request_id = await send(one, b"typing", ephemeral=True)
    assert await received(two, 1) == [("ann", b"typing")]
    assert await kinds_of(one, request_id, 1) == [pb.CHANNEL_EVENT_KIND_SENT]


CREATE = {"channel_id": "x", "content_topic": TOPIC, "sender_id": "ann"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channel_id": ID}, "CHANNEL_EXISTS"),
        ({"channel_id": ""}, "CHANNEL_ID_INVALID"),
        ({"sender_id": "s" * 257}, "CHANNEL_ID_INVALID"),
        ({"key": bytes(31)}, "CHANNEL_KEY_INVALID"),
        ({"content_topic": "no"}, "CONTENT_TOPIC_INVALID"),
    ],
)
async def test_channels_that_are_not_opened(net: Net, changes: dict[str, Any], reason: str) -> None:
    node = await net.node(1)
    await create(node, "ann")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await node.channels.Create(pb.ChannelsCreateRequest(**CREATE | changes))
    assert reason_of(refused.value) == reason
    assert len((await node.channels.List(pb.ChannelsListRequest())).channels) == 1


async def test_a_node_has_256_channels(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_delivery.operations.channels.MAX_CHANNELS", 1)
    node = await net.node(1)
    await create(node, "ann")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await create(node, "ann", "second")
    assert reason_of(refused.value) == "TOO_MANY_CHANNELS"


async def test_payloads_that_are_refused(net: Net) -> None:
    node = await net.node(1)
    await create(node, "ann")
    for payload, reason in (
        (b"", "PAYLOAD_EMPTY"),
        (bytes((15 << 20) + 1), "CHANNEL_PAYLOAD_TOO_LARGE"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await send(node, payload)
        assert reason_of(refused.value) == reason
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await send(node, b"")
    assert refused.value.details() == "empty payload"


async def test_a_place_that_the_events_have_not_come_to(net: Net) -> None:
    node = await net.node(1)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await node.channels.WatchEvents(pb.ChannelsWatchEventsRequest(after=10)).read()
    assert reason_of(refused.value) == "POSITION_UNKNOWN"


async def listed(node: Any) -> list[str]:
    answer = await node.channels.List(pb.ChannelsListRequest())
    return [one.channel_id for one in answer.channels]


async def test_what_a_caller_that_goes_away_has_asked_for_is_done_whole(net: Net) -> None:
    node, names = await net.node(1), [f"c{number:02}" for number in range(20)]
    for number, name in enumerate(names):
        call = node.channels.Create(pb.ChannelsCreateRequest(**CREATE | {"channel_id": name}))
        await asyncio.sleep(0.001 * (number % 5))
        call.cancel()
    for name in names:
        with suppress(grpc.aio.AioRpcError):  # it is open already
            await create(node, "ann", name)
    assert await listed(node) == names
    for number, name in enumerate(names):
        call = node.channels.Close(pb.ChannelsCloseRequest(channel_id=name))
        await asyncio.sleep(0.001 * (number % 5))
        call.cancel()
    await node.stop()
    again = await net.node(1)
    for name in await listed(again):
        await again.channels.Close(pb.ChannelsCloseRequest(channel_id=name))
    assert await listed(again) == []
