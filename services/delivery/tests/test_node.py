"""Nodes that send to one another: events, history, restarts, and what is refused."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from mixnet_nodes import until
from node_answers import TOPIC, first, payloads, subscribe, until_followed

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import relay_pb2, store_pb2
from logos.network.v1 import gossip_pb2
from logos_module.errors import reason_of

OTHER = "/app/1/news/proto"
Net = Any


async def attempt(call: Any) -> Any:
    """The answer of a call; None while no neighbour is known to follow its shard."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if reason_of(error) != "NO_PEERS":
            raise
        return None


def kinds(found: list[pb.Event]) -> list[int]:
    return [event.kind for event in found]


async def test_a_message_reaches_every_subscriber_once_and_is_confirmed(net: Net) -> None:
    one, two, three = [await net.node(number) for number in (1, 2, 3)]
    for node in (one, two, three):
        await subscribe(node, TOPIC)
    await until_followed(one, 2)
    request = pb.SendRequest(content_topic=TOPIC, payload=b"hello", meta=b"m")
    accepted = await one.delivery.Send(request)
    for node in (one, two, three):
        [event] = await first(node, 1, kinds=[pb.EVENT_KIND_RECEIVED])
        assert (event.message.payload, event.message.meta) == (b"hello", b"m")
        assert event.message_hash == accepted.message_hash
    told = await first(one, 2, request_ids=[accepted.request_id])
    assert kinds(told) == [pb.EVENT_KIND_PROPAGATED, pb.EVENT_KIND_SENT]
    found = await one.delivery.GetRequest(pb.GetRequestRequest(request_id=accepted.request_id))
    assert found.state == pb.REQUEST_STATE_SENT
    assert found.HasField("ended_at")
    page = await three.store.Query(store_pb2.StoreQueryRequest(include_data=True))
    assert [stored.message.payload for stored in page.messages] == [b"hello"]
    assert page.messages[0].message_hash == accepted.message_hash


async def test_other_topics_of_the_shard_are_kept_and_not_received(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    await subscribe(one, TOPIC)
    await subscribe(two, TOPIC)
    await until_followed(one)
    for topic, payload in ((OTHER, b"news"), (TOPIC, b"chat")):
        await one.delivery.Send(pb.SendRequest(content_topic=topic, payload=payload))
    received = await first(two, 1, kinds=[pb.EVENT_KIND_RECEIVED])
    assert payloads(received) == [b"chat"]
    query = store_pb2.StoreQueryRequest(include_data=True, content_topics=[OTHER])
    while not (page := await two.store.Query(query)).messages:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert page.messages[0].message.payload == b"news"


async def test_what_came_while_a_node_was_away_is_received_after_all(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    await subscribe(one, TOPIC)
    await subscribe(two, TOPIC)
    await until_followed(one)
    await one.delivery.Send(pb.SendRequest(content_topic=TOPIC, payload=b"before"))
    assert payloads(await first(two, 1, kinds=[pb.EVENT_KIND_RECEIVED])) == [b"before"]
    await two.stop()
    third = await net.node(3)
    await subscribe(third, TOPIC)
    await until_followed(one)
    await one.delivery.Send(pb.SendRequest(content_topic=TOPIC, payload=b"meanwhile"))
    assert payloads(await first(third, 1, kinds=[pb.EVENT_KIND_RECEIVED])) == [b"meanwhile"]
    again = await net.node(2, store_peers=[one.peer_id])
    assert (await again.delivery.ListSubscriptions(pb.ListSubscriptionsRequest())).subscriptions
    received = await first(again, 2, kinds=[pb.EVENT_KIND_RECEIVED])
    assert payloads(received) == [b"before", b"meanwhile"]


async def test_a_request_that_cannot_leave_is_sent_once_there_is_a_neighbour(net: Net) -> None:
    one = await net.node(1)
    accepted = await one.delivery.Send(pb.SendRequest(content_topic=TOPIC, payload=b"early"))
    await one.stop()
    one = await net.node(1)
    two = await net.node(2)
    await subscribe(two, TOPIC)
    assert payloads(await first(two, 1, kinds=[pb.EVENT_KIND_RECEIVED])) == [b"early"]
    told = await first(one, 1, request_ids=[accepted.request_id])
    assert kinds(told) == [pb.EVENT_KIND_PROPAGATED]


async def test_without_reliability_a_request_ends_once_another_node_has_it(net: Net) -> None:
    one, two = await net.node(1, reliability=False), await net.node(2)
    await subscribe(two, TOPIC)
    accepted = await one.delivery.Send(pb.SendRequest(content_topic=TOPIC, payload=b"x"))
    told = await first(one, 1, request_ids=[accepted.request_id])
    assert kinds(told) == [pb.EVENT_KIND_PROPAGATED]
    found = await one.delivery.GetRequest(pb.GetRequestRequest(request_id=accepted.request_id))
    assert found.state == pb.REQUEST_STATE_PROPAGATED
    assert found.HasField("ended_at")


async def test_a_key_sends_once(net: Net) -> None:
    one = await net.node(1)
    request = pb.SendRequest(content_topic=TOPIC, payload=b"x", idempotency_key="k")
    answers = await asyncio.gather(*(one.delivery.Send(request) for _ in range(5)))
    assert len({answer.request_id for answer in answers}) == 1
    request.payload = b"y"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await one.delivery.Send(request)
    assert reason_of(refused.value) == "KEY_REUSED"


async def test_messages_of_a_shard_as_they_pass(net: Net) -> None:
    one, two = await net.node(1), await net.node(2)
    shard = "/waku/2/rs/3/2"
    call = two.relay.Receive(relay_pb2.RelayReceiveRequest(pubsub_topics=[shard]))
    assert not (await call.read()).messages
    message = {"payload": b"raw", "content_topic": TOPIC}
    request = relay_pb2.RelayPublishRequest(pubsub_topic=shard, message=message)
    while (published := await attempt(one.relay.Publish(request))) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    [passed] = (await call.read()).messages
    assert passed.message.payload == b"raw"
    assert passed.message.timestamp > 0
    assert (passed.pubsub_topic, passed.message_hash) == (shard, published.message_hash)


async def test_garbage_of_a_neighbour_goes_no_further(net: Net) -> None:
    one, two, three = [await net.node(number) for number in (1, 2, 3)]
    for node in (two, three):
        await subscribe(node, TOPIC)
    await until_followed(two)
    shard = (await two.relay.ListShards(relay_pb2.ListShardsRequest())).shards[0].pubsub_topic

    await one.network.gossip.Publish(gossip_pb2.PublishRequest(topic=shard, data=b"\xff\x01"))
    await subscribe(one, TOPIC)
    await one.delivery.Send(pb.SendRequest(content_topic=TOPIC, payload=b"fine"))
    for node in (two, three):
        assert payloads(await first(node, 1, kinds=[pb.EVENT_KIND_RECEIVED])) == [b"fine"]


SEND: Callable[..., Any] = lambda node, **more: node.delivery.Send(  # noqa: E731
    pb.SendRequest(**{"content_topic": TOPIC, "payload": b"x", **more})
)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda node: SEND(node, content_topic="no"), "CONTENT_TOPIC_INVALID"),
        (lambda node: SEND(node, payload=b""), "PAYLOAD_EMPTY"),
        (lambda node: SEND(node, via_mix=True), "MIX_OFF"),
        (lambda node: SEND(node, meta=bytes(65)), "META_TOO_LONG"),
        (lambda node: SEND(node, idempotency_key="k" * 65), "KEY_TOO_LONG"),
        (lambda node: node.delivery.Subscribe(pb.SubscribeRequest()), "TOPICS_MISSING"),
        (
            lambda node: node.delivery.GetRequest(pb.GetRequestRequest(request_id="none")),
            "REQUEST_UNKNOWN",
        ),
        (
            lambda node: node.relay.Publish(
                relay_pb2.RelayPublishRequest(
                    message={"content_topic": TOPIC, "payload": b"x"}, pubsub_topic="/waku/2/x"
                )
            ),
            "PUBSUB_TOPIC_INVALID",
        ),
        (
            lambda node: node.store.Query(store_pb2.StoreQueryRequest(message_hashes=[b"short"])),
            "STORE_QUERY_INVALID",
        ),
    ],
)
async def test_what_is_refused(net: Net, call: Any, reason: str) -> None:
    node = await net.node(1)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(node)
    assert reason_of(refused.value) == reason


async def test_an_edge_node_does_not_relay(net: Net) -> None:
    edge = await net.node(1, mode="edge")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edge.relay.ListShards(relay_pb2.ListShardsRequest())
    assert reason_of(refused.value) == "RELAY_OFF"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await edge.store.GetStats(store_pb2.StoreGetStatsRequest())
    assert reason_of(refused.value) == "STORE_OFF"


async def test_a_place_that_the_events_have_not_come_to(net: Net) -> None:
    node = await net.node(1)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await node.delivery.WatchEvents(pb.WatchEventsRequest(after=10_000)).read()
    assert reason_of(refused.value) == "POSITION_UNKNOWN"


async def test_health_follows_the_neighbours(net: Net) -> None:
    one = await net.node(1)
    await subscribe(one, TOPIC)
    call = one.delivery.WatchHealth(pb.WatchHealthRequest())
    alone = (await call.read()).health
    assert alone.connection == pb.CONNECTION_STATUS_DISCONNECTED
    two = await net.node(2)
    await subscribe(two, TOPIC)
    while (health := (await call.read()).health).connection != (
        pb.CONNECTION_STATUS_PARTIALLY_CONNECTED
    ):
        pass
    while health.content_topics.get(TOPIC) != pb.TOPIC_HEALTH_MINIMALLY_HEALTHY:
        health = (await call.read()).health
    [event] = await first(one, 1, kinds=[pb.EVENT_KIND_CONNECTION])
    assert event.connection == pb.CONNECTION_STATUS_PARTIALLY_CONNECTED


async def test_old_messages_are_removed_by_the_policy(net: Net) -> None:
    one = await net.node(1)
    two = await net.node(2)
    for node in (one, two):
        await subscribe(node, TOPIC)
    await until_followed(one)
    for number in range(5):
        await one.delivery.Send(pb.SendRequest(content_topic=TOPIC, payload=b"%d" % number))
    await first(two, 5, kinds=[pb.EVENT_KIND_RECEIVED])
    while (await stats(two)).messages < 5:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert (await stats(two)).retention == "time:172800"
    await two.stop()
    two = await net.node(2, retention="capacity:2")
    while (kept := await stats(two)).messages > 3:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert kept.HasField("last_removal_at")
    assert kept.oldest <= kept.newest


async def stats(node: Any) -> Any:
    return await node.store.GetStats(store_pb2.StoreGetStatsRequest())


async def test_a_peer_of_another_cluster_is_disconnected(net: Net) -> None:
    one = await net.node(1)
    await net.node(2, preset="logos.test")
    await until(lambda: not one.network.host.connections)
    third = await net.node(3)
    await subscribe(one, TOPIC)
    await subscribe(third, TOPIC)
    await until_followed(third)
