"""A delivery module that has an answer to every call: for tests of commands."""

from collections.abc import Iterator
from typing import Any

import grpc

from logos.delivery.v1 import (
    channels_pb2,
    channels_pb2_grpc,
    delivery_pb2,
    delivery_pb2_grpc,
    light_pb2,
    light_pb2_grpc,
    relay_pb2,
    relay_pb2_grpc,
    store_pb2,
    store_pb2_grpc,
)

TOPIC = "/app/1/chat/proto"
SHARD = "/waku/2/rs/66/1"


class DeliveryAnswers(delivery_pb2_grpc.DeliveryServicer):
    """Has received one message."""

    def Send(self, request: Any, context: Any) -> Any:  # noqa: N802
        return delivery_pb2.SendResponse(request_id="ab", message_hash=bytes(32))

    def Subscribe(self, request: Any, context: Any) -> Any:  # noqa: N802
        return delivery_pb2.SubscribeResponse(results=[{"content_topic": TOPIC}])

    def Unsubscribe(self, request: Any, context: Any) -> Any:  # noqa: N802
        return delivery_pb2.UnsubscribeResponse(results=[{"content_topic": TOPIC}])

    def ListSubscriptions(self, request: Any, context: Any) -> Any:  # noqa: N802
        one = {"content_topic": TOPIC, "pubsub_topic": SHARD}
        return delivery_pb2.ListSubscriptionsResponse(subscriptions=[one])

    def WatchEvents(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        one = delivery_pb2.Event(
            position=1,
            kind=delivery_pb2.EVENT_KIND_RECEIVED,
            content_topic=TOPIC,
            message={"payload": b"\x1b[2J", "content_topic": TOPIC},
        )
        yield delivery_pb2.WatchEventsResponse(events=[one], position=1)

    def GetHealth(self, request: Any, context: Any) -> Any:  # noqa: N802
        return delivery_pb2.GetHealthResponse(health={"connection": 1, "text": "alone"})

    def GetNodeInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return delivery_pb2.GetNodeInfoResponse(peer_id="16U", mode="core", enr="enr:-")


class ExchangeAnswers(light_pb2_grpc.PeerExchangeServicer):
    """Has found one node."""

    def GetPeers(self, request: Any, context: Any) -> Any:  # noqa: N802
        return light_pb2.GetPeersResponse(peer_id="16U", peers=[{"peer_id": "16V"}], new=1)


class RelayAnswers(relay_pb2_grpc.RelayServicer):
    """Follows one shard."""

    def ListShards(self, request: Any, context: Any) -> Any:  # noqa: N802
        return relay_pb2.ListShardsResponse(shards=[{"pubsub_topic": SHARD, "peer_ids": ["16U"]}])


class StoreAnswers(store_pb2_grpc.StoreServicer):
    """Keeps one message."""

    def Query(self, request: Any, context: Any) -> Any:  # noqa: N802
        message = {"payload": b"hello", "content_topic": TOPIC}
        return store_pb2.StoreQueryResponse(
            messages=[{"message_hash": bytes(32), "message": message}]
        )

    def Sync(self, request: Any, context: Any) -> Any:  # noqa: N802
        return store_pb2.SyncResponse(peer_id="16U", received=1)


class ChannelAnswers(channels_pb2_grpc.ChannelsServicer):
    """Has one channel open."""

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        return channels_pb2.ChannelsCreateResponse()

    def Close(self, request: Any, context: Any) -> Any:  # noqa: N802
        return channels_pb2.ChannelsCloseResponse()

    def List(self, request: Any, context: Any) -> Any:  # noqa: N802
        return channels_pb2.ChannelsListResponse(channels=[{"channel_id": "c"}])

    def Send(self, request: Any, context: Any) -> Any:  # noqa: N802
        return channels_pb2.ChannelsSendResponse(request_id="ab")

    def WatchEvents(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        one = channels_pb2.ChannelEvent(
            position=1,
            kind=channels_pb2.CHANNEL_EVENT_KIND_RECEIVED,
            channel_id="c",
            sender_id="\x1b[2J",
            payload=b"hello",
        )
        yield channels_pb2.ChannelsWatchEventsResponse(events=[one], position=1)


def add_to(server: grpc.Server) -> None:
    """Serves all of it."""
    delivery_pb2_grpc.add_DeliveryServicer_to_server(DeliveryAnswers(), server)
    light_pb2_grpc.add_PeerExchangeServicer_to_server(ExchangeAnswers(), server)
    relay_pb2_grpc.add_RelayServicer_to_server(RelayAnswers(), server)
    store_pb2_grpc.add_StoreServicer_to_server(StoreAnswers(), server)
    channels_pb2_grpc.add_ChannelsServicer_to_server(ChannelAnswers(), server)
