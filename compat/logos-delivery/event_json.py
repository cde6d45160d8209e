"""Events of a node as the JSON objects of the reference's library (DHT-23).

Source: logos-messaging/logos-delivery `library/logos_delivery_api/node_api.nim` at 69fbffa.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final

from logos.delivery.v1 import channels_pb2, delivery_pb2, message_pb2
from logos.network.v1 import peering_pb2

Json = dict[str, Any]

_SENDING: Final = {
    delivery_pb2.EVENT_KIND_PROPAGATED: "message_propagated",
    delivery_pb2.EVENT_KIND_SENT: "message_sent",
    delivery_pb2.EVENT_KIND_ERROR: "message_error",
}
"""What the reference does not tell, UNCONFIRMED, is not told."""
_CHANNELS: Final = {
    channels_pb2.CHANNEL_EVENT_KIND_SENT: "channel_message_sent",
    channels_pb2.CHANNEL_EVENT_KIND_SEND_ERROR: "channel_message_error",
    channels_pb2.CHANNEL_EVENT_KIND_DELIVERY_ERROR: "channel_message_error",
}
_STATUS: Final = {
    delivery_pb2.CONNECTION_STATUS_DISCONNECTED: "Disconnected",
    delivery_pb2.CONNECTION_STATUS_PARTIALLY_CONNECTED: "PartiallyConnected",
    delivery_pb2.CONNECTION_STATUS_CONNECTED: "Connected",
}
_HEALTH: Final = {
    delivery_pb2.TOPIC_HEALTH_UNHEALTHY: "UnHealthy",
    delivery_pb2.TOPIC_HEALTH_MINIMALLY_HEALTHY: "MinimallyHealthy",
    delivery_pb2.TOPIC_HEALTH_SUFFICIENTLY_HEALTHY: "SufficientlyHealthy",
    delivery_pb2.TOPIC_HEALTH_NOT_SUBSCRIBED: "NotSubscribed",
}


def of_delivery(event: delivery_pb2.Event) -> Json | None:
    """Returns an event of `Delivery`; None if the reference has no such."""
    if event.kind == delivery_pb2.EVENT_KIND_CONNECTION:
        status = _STATUS[event.connection]
        return {"eventType": "connection_status_change", "connectionStatus": status}
    message_hash = f"0x{event.message_hash.hex()}"
    if event.kind == delivery_pb2.EVENT_KIND_RECEIVED:
        message = _message(event.message)
        return {"eventType": "message_received", "messageHash": message_hash, "message": message}
    if event.kind not in _SENDING:
        return None
    told = {
        "eventType": _SENDING[event.kind],
        "requestId": event.request_id,
        "messageHash": message_hash,
    }
    return told | ({"error": event.error} if event.kind == delivery_pb2.EVENT_KIND_ERROR else {})


def _message(message: message_pb2.Message) -> Json:
    """Bytes are lists of numbers, as the reference's library has them."""
    return {
        "payload": list(message.payload),
        "contentTopic": message.content_topic,
        "meta": list(message.meta),
        "version": message.version,
        "timestamp": message.timestamp,
        "ephemeral": message.ephemeral,
        "proof": list(message.proof),
    }


def of_channel(event: channels_pb2.ChannelEvent) -> Json | None:
    """Returns an event of `Channels`; None if the reference has no such."""
    if event.kind == channels_pb2.CHANNEL_EVENT_KIND_RECEIVED:
        return {
            "eventType": "channel_message_received",
            "channelId": event.channel_id,
            "senderId": event.sender_id,
            "payload": b64encode(event.payload).decode("ascii"),
        }
    if event.kind not in _CHANNELS:
        return None
    told = {
        "eventType": _CHANNELS[event.kind],
        "channelId": event.channel_id,
        "requestId": event.request_id,
    }
    return told | ({"error": event.error} if event.error else {})


class PeerWatch:
    """Tells when a peer comes or goes; a stream that is opened again names those it has told."""

    def __init__(self) -> None:
        self._connected: set[str] = set()

    def change(self, event: peering_pb2.WatchPeersResponse) -> Json | None:
        """Returns what is new; None if nothing is."""
        told = {"eventType": "connection_change", "peerId": event.peer_id}
        is_known = event.peer_id in self._connected
        if event.event == peering_pb2.WatchPeersResponse.EVENT_CONNECTED and not is_known:
            self._connected.add(event.peer_id)
            return {**told, "peerEvent": "EventConnected"}
        if event.event == peering_pb2.WatchPeersResponse.EVENT_DISCONNECTED and is_known:
            self._connected.remove(event.peer_id)
            return {**told, "peerEvent": "EventDisconnected"}
        return None


class ShardWatch:
    """Tells when the health of a shard has changed; a new one is UnHealthy before it is known."""

    def __init__(self) -> None:
        self._known: dict[str, delivery_pb2.TopicHealth.ValueType] = {}

    def changes(self, shards: Mapping[str, delivery_pb2.TopicHealth.ValueType]) -> Iterator[Json]:
        """Yields what is different from the last call."""
        gone = delivery_pb2.TOPIC_HEALTH_NOT_SUBSCRIBED
        for topic in sorted({*self._known, *shards}):
            health = shards.get(topic, gone)
            if health != self._known.get(topic, delivery_pb2.TOPIC_HEALTH_UNHEALTHY):
                yield {
                    "eventType": "relay_topic_health_change",
                    "pubsubTopic": topic,
                    "topicHealth": _HEALTH[health],
                }
        self._known = dict(shards)
