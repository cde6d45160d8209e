"""A delivery that has an answer to every call: for tests of commands."""

from collections.abc import Iterator
from typing import Any

from logos.delivery.v1 import (
    delivery_pb2,
    delivery_pb2_grpc,
    message_pb2,
    relay_pb2,
    relay_pb2_grpc,
    store_pb2,
    store_pb2_grpc,
)

TOPIC = "/app/1/chat/proto"
SHARD = "/waku/2/rs/66/1"


class DeliveryAnswers(
    delivery_pb2_grpc.DeliveryServicer, relay_pb2_grpc.RelayServicer, store_pb2_grpc.StoreServicer
):
    """Knows one message, and confirms at once what is sent."""

    message = message_pb2.Message(payload=b"caf\xe9 \x1b[2J", content_topic=TOPIC, timestamp=1)
    result = delivery_pb2.TopicResult(content_topic=TOPIC, pubsub_topic=SHARD)
    received = delivery_pb2.Event(
        position=1,
        kind=delivery_pb2.EVENT_KIND_RECEIVED,
        content_topic=TOPIC,
        message_hash=bytes(32),
        message=message,
    )
    sent = delivery_pb2.Event(
        position=2, kind=delivery_pb2.EVENT_KIND_SENT, request_id="r", content_topic=TOPIC
    )

    def Send(self, request: Any, context: Any) -> Any:  # noqa: N802
        return delivery_pb2.SendResponse(request_id="r", message_hash=bytes(32))

    def Subscribe(self, request: Any, context: Any) -> Any:  # noqa: N802
        return delivery_pb2.SubscribeResponse(results=[self.result])

    def Unsubscribe(self, request: Any, context: Any) -> Any:  # noqa: N802
        return delivery_pb2.UnsubscribeResponse(results=[self.result])

    def ListSubscriptions(self, request: Any, context: Any) -> Any:  # noqa: N802
        return delivery_pb2.ListSubscriptionsResponse(subscriptions=[self.result])

    def WatchEvents(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        event = self.sent if request.request_ids else self.received
        yield delivery_pb2.WatchEventsResponse(events=[event], position=2)

    def GetHealth(self, request: Any, context: Any) -> Any:  # noqa: N802
        health = delivery_pb2.Health(
            connection=delivery_pb2.CONNECTION_STATUS_CONNECTED,
            shards={SHARD: delivery_pb2.TOPIC_HEALTH_UNHEALTHY},
            protocols=[delivery_pb2.ProtocolHealth(protocol="Relay", mounted=True)],
        )
        return delivery_pb2.GetHealthResponse(health=health)

    def ListShards(self, request: Any, context: Any) -> Any:  # noqa: N802
        shard = relay_pb2.Shard(pubsub_topic=SHARD, peer_ids=["a"], mesh_peer_ids=["a"])
        return relay_pb2.ListShardsResponse(shards=[shard])

    def Query(self, request: Any, context: Any) -> Any:  # noqa: N802
        stored = store_pb2.StoredMessage(message_hash=bytes(32), message=self.message)
        return store_pb2.StoreQueryResponse(messages=[stored])
