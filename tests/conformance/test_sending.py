"""What an application may count on when it sends, whatever becomes of the nodes around it.

The behaviours are those that logos-messaging/logos-delivery `tests-e2e` at 69fbffa checks (S02 to
S30, RC05), in nodes of one process.
"""

import asyncio
from typing import Any

import grpc
import pytest
from node_answers import TOPIC, first, payloads, subscribe, until_followed

from logos.delivery.v1 import channels_pb2, light_pb2
from logos.delivery.v1 import delivery_pb2 as pb
from logos_delivery.core.topics import parse_content_topic, shard_of
from logos_module.errors import reason_of

Net = Any
RECEIVED = [pb.EVENT_KIND_RECEIVED]
PROPAGATED = pb.EVENT_KIND_PROPAGATED
TOO_LARGE = bytes(200 * 1024)


async def send(node: Any, payload: bytes = b"x", topic: str = TOPIC) -> str:
    request = pb.SendRequest(content_topic=topic, payload=payload)
    return str((await node.delivery.Send(request)).request_id)


async def fate(node: Any, request_id: str, count: int = 1) -> list[int]:
    """What is told of a request first."""
    return [event.kind for event in await first(node, count, request_ids=[request_id])]


async def attempted(node: Any, request_id: str) -> pb.GetRequestResponse:
    """Waits until a request was tried, and returns how it stands."""
    while True:
        found = await node.delivery.GetRequest(pb.GetRequestRequest(request_id=request_id))
        if found.attempts:
            return found
        await asyncio.sleep(0.02)


async def test_sending_subscribes_also_after_an_unsubscription(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    await subscribe(two, TOPIC)
    assert await fate(one, await send(one, b"first")) == [PROPAGATED]
    topics = pb.UnsubscribeRequest(content_topics=[TOPIC])
    [result] = (await one.delivery.Unsubscribe(topics)).results
    assert not result.reason
    assert await fate(one, await send(one, b"second")) == [PROPAGATED]
    [subscription] = (
        await one.delivery.ListSubscriptions(pb.ListSubscriptionsRequest())
    ).subscriptions
    assert subscription.content_topic == TOPIC
    assert payloads(await first(two, 2, kinds=RECEIVED)) == [b"first", b"second"]


async def test_many_sends_at_once_have_a_request_each(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    await subscribe(two, TOPIC)
    sent = [bytes([number]) for number in range(5)]
    requests = await asyncio.gather(*(send(one, payload) for payload in sent))
    assert len(set(requests)) == len(sent)
    for request_id in requests:
        assert await fate(one, request_id) == [PROPAGATED]
    events = await first(one, len(sent), kinds=[PROPAGATED])
    assert {event.request_id for event in events} == set(requests)
    assert set(payloads(await first(two, len(sent), kinds=RECEIVED))) == set(sent)


async def test_topics_of_different_shards_propagate_apart(net: Net) -> None:
    one, two = await net.node(1), await net.node(2, light_push=False)  # relay alone, no way round
    topics = ("/myapp/1/latest/proto", "/waku/2/content/test.js")
    assert len({shard_of(parse_content_topic(topic), 8) for topic in topics}) == 2
    await subscribe(two, topics[0])
    here = await send(one, topic=topics[0])
    there = await send(one, topic=topics[1])
    assert await fate(one, here) == [PROPAGATED]
    assert (await attempted(one, there)).state == pb.REQUEST_STATE_SENDING
    await subscribe(two, topics[1])
    assert await fate(one, there) == [PROPAGATED]


async def test_a_topic_that_is_none_begins_no_request(net: Net) -> None:
    one = await net.node(1)
    for topic in ("no-leading-slash", "", "/app/1/name", "/app//name/proto"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await send(one, topic=topic)
        assert reason_of(refused.value) == "CONTENT_TOPIC_INVALID"
    own = await send(one)
    page = await one.delivery.WatchEvents(pb.WatchEventsRequest(after=0)).read()
    assert {event.request_id for event in page.events} <= {own}
    listed = await one.delivery.ListSubscriptions(pb.ListSubscriptionsRequest())
    assert [one.content_topic for one in listed.subscriptions] == [TOPIC]


async def test_a_message_that_is_too_large_is_an_error_and_never_propagated(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    await subscribe(two, TOPIC)
    edge = await net.node(3, mode="edge")
    for node in (one, edge):
        request_id = await send(node, TOO_LARGE)
        [event] = await first(node, 1, request_ids=[request_id])
        assert event.kind == pb.EVENT_KIND_ERROR
        assert "Message size exceeded" in event.error


async def test_a_light_node_sends_once_its_service_node_has_a_neighbour(net: Net) -> None:
    await net.node(1)
    edge = await net.node(2, mode="edge")
    request_id = await send(edge)
    assert (await attempted(edge, request_id)).state == pb.REQUEST_STATE_SENDING
    neighbour = await net.node(3)
    await subscribe(neighbour, TOPIC)
    assert await fate(edge, request_id) == [PROPAGATED]


async def test_a_light_node_sends_by_the_service_node_that_remains(net: Net) -> None:
    gone, stays, edge = await net.node(1), await net.node(2), await net.node(3, mode="edge")
    relay = await net.node(4, light_push=False)
    for node in (stays, relay):
        await subscribe(node, TOPIC)
    await until_followed(stays)
    request = light_pb2.PushRequest(message={"content_topic": TOPIC, "payload": b"before"})
    assert (await edge.light_push.Push(request)).relay_peer_count
    await gone.stop()
    assert await fate(edge, await send(edge, b"after")) == [PROPAGATED]
    assert payloads(await first(relay, 2, kinds=RECEIVED)) == [b"before", b"after"]


async def test_a_light_node_waits_for_a_service_node(net: Net) -> None:
    edge = await net.node(1, mode="edge")
    request_id = await send(edge)
    assert (await attempted(edge, request_id)).state == pb.REQUEST_STATE_SENDING
    for number in (2, 3):
        await subscribe(await net.node(number), TOPIC)
    assert await fate(edge, request_id) == [PROPAGATED]


async def test_a_closed_channel_takes_nothing_of_what_the_node_receives(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    for node, sender in ((one, "ann"), (two, "bob")):
        for channel in ("closed", "open"):
            await node.channels.Create(
                channels_pb2.ChannelsCreateRequest(
                    channel_id=channel, content_topic=TOPIC, sender_id=sender
                )
            )
    await two.channels.Close(channels_pb2.ChannelsCloseRequest(channel_id="closed"))
    await until_followed(one)
    for channel in ("closed", "open"):
        request = channels_pb2.ChannelsSendRequest(channel_id=channel, payload=channel.encode())
        await one.channels.Send(request)
    watch = channels_pb2.ChannelsWatchEventsRequest(after=0)
    async for page in two.channels.WatchEvents(watch):
        if page.events:
            assert [event.payload for event in page.events] == [b"open"]
            break
    assert len(await first(two, 2, kinds=RECEIVED)) == 2
