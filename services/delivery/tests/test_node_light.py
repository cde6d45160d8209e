"""Light nodes: what service nodes push to them and publish for them, and over a restart of one."""

import asyncio
import time
from typing import Any

import grpc
import pytest
from node_answers import TOPIC, first, payloads, subscribe, until_followed

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import light_pb2
from logos_delivery.core.light import light_push_v2
from logos_delivery.core.message import Message
from logos_delivery.core.topics import pubsub_topic_of
from logos_delivery.net.requests import StreamRequests
from logos_module.errors import reason_of
from logos_module.network.streams import PeerStreams

Net = Any
SHARD, OTHER_SHARD = pubsub_topic_of(TOPIC, cluster=3, shards=8), "/waku/2/rs/3/6"
RECEIVED = [pb.EVENT_KIND_RECEIVED]


async def test_an_edge_node_sends_and_receives_by_service_nodes(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    for node in (one, two):
        await subscribe(node, TOPIC)
    await until_followed(one)
    edge = await net.node(3, mode="edge")
    await subscribe(edge, TOPIC)
    await until_served(one)
    accepted = await edge.delivery.Send(pb.SendRequest(content_topic=TOPIC, payload=b"mine"))
    for node in (one, two, edge):
        assert payloads(await first(node, 1, kinds=RECEIVED)) == [b"mine"]
    told = await first(edge, 2, request_ids=[accepted.request_id])
    assert [event.kind for event in told] == [pb.EVENT_KIND_PROPAGATED, pb.EVENT_KIND_SENT]
    await two.delivery.Send(pb.SendRequest(content_topic=TOPIC, payload=b"yours"))
    assert payloads(await first(edge, 2, kinds=RECEIVED)) == [b"mine", b"yours"]


async def test_a_reader_of_pushes_goes_on_over_a_restart_of_its_service_node(net: Net) -> None:
    one = await net.node(1)
    await subscribe(one, TOPIC)
    edge = await net.node(2, mode="edge")
    call = edge.filter.Receive(light_pb2.FilterReceiveRequest(content_topics=[TOPIC]))
    assert not (await call.read()).messages
    await until_served(one)
    publisher = await net.node(3)
    await subscribe(publisher, TOPIC)
    await until_followed(publisher)
    await publisher.delivery.Send(pb.SendRequest(content_topic=TOPIC, payload=b"first"))
    assert await pushed(call) == [b"first"]
    await one.stop()
    one = await net.node(1)
    await until_served(one)
    await publisher.delivery.Send(pb.SendRequest(content_topic=TOPIC, payload=b"second"))
    assert b"second" in await pushed(call)


async def until_served(node: Any) -> None:
    """Waits until a light client has subscribed at a node."""
    request = light_pb2.ListSubscribersRequest()
    while not (await node.filter.ListSubscribers(request)).subscribers:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def pushed(call: Any) -> list[bytes]:
    """The payloads of the next response that has any."""
    while not (response := await call.read()).messages:
        pass
    return [message.message.payload for message in response.messages]


async def test_a_service_node_publishes_for_a_light_one(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    for node in (one, two):
        await subscribe(node, TOPIC)
    await until_followed(one)
    edge = await net.node(3, mode="edge")
    request = light_pb2.PushRequest(
        message={"content_topic": TOPIC, "payload": b"pushed"}, peer_id=one.peer_id
    )
    answer = await edge.light_push.Push(request)
    assert (answer.peer_id, answer.relay_peer_count) == (one.peer_id, 1)
    [event] = await first(two, 1, kinds=RECEIVED)
    assert (event.message.payload, event.message_hash) == (b"pushed", answer.message_hash)


async def test_the_older_form_is_served(net: Net) -> None:
    """DLC-19."""
    one, two, client = await net.node(1), await net.node(2), await net.node(3, mode="edge")
    for node in (one, two):
        await subscribe(node, TOPIC)
    await until_followed(one)
    requests = StreamRequests(PeerStreams(client.network.channel, "test"))

    async def ask(raw: bytes) -> light_push_v2.PushResponse:
        answer = await requests.ask(one.peer_id, light_push_v2.PROTOCOL, raw, timeout_s=5)
        return light_push_v2.decode_response(answer)

    for shard, is_published, info in (
        (SHARD, True, "OK"),
        (OTHER_SHARD, False, "not_published_to_any_peer"),
    ):
        message = Message(info.encode(), TOPIC, timestamp_ns=time.time_ns())
        request = light_push_v2.PushRequest("7", shard, message)
        answer = await ask(light_push_v2.encode_request(request))
        assert answer == light_push_v2.PushResponse("7", is_published, info)
    [event] = await first(two, 1, kinds=RECEIVED)
    assert event.message.payload == b"OK"
    answer = await ask(b"\x0a\x017")
    assert answer == light_push_v2.PushResponse("", False, "empty_request_body_failure")  # noqa: FBT003


async def test_a_push_without_neighbours_or_to_nobody(net: Net) -> None:
    lonely, edge = await net.node(1), await net.node(2, mode="edge")
    message = {"content_topic": TOPIC, "payload": b"x"}
    for peer, reason in ((lonely.peer_id, "NO_PEERS"), (edge.peer_id, "LIGHT_PEER_FAILED")):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await edge.light_push.Push(light_pb2.PushRequest(message=message, peer_id=peer))
        assert reason_of(refused.value) == reason


async def test_reading_needs_topics(net: Net) -> None:
    edge = await net.node(1, mode="edge")
    for topics, reason in (([], "TOPICS_MISSING"), (["no"], "CONTENT_TOPIC_INVALID")):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await edge.filter.Receive(light_pb2.FilterReceiveRequest(content_topics=topics)).read()
        assert reason_of(refused.value) == reason
