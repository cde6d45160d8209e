"""DHT-23: events as the JSON of the reference's library."""

import sys
from pathlib import Path

import pytest

from logos.delivery.v1 import channels_pb2 as channels
from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import message_pb2
from logos.network.v1 import peering_pb2

sys.path.insert(0, str(Path(__file__).parents[2] / "compat" / "logos-delivery"))  # a program

from event_json import PeerWatch, ShardWatch, of_channel, of_delivery

SHARD = "/waku/2/rs/3/0"
LOW, HIGH = pb.TOPIC_HEALTH_MINIMALLY_HEALTHY, pb.TOPIC_HEALTH_SUFFICIENTLY_HEALTHY


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pb.EVENT_KIND_PROPAGATED, "message_propagated"),
        (pb.EVENT_KIND_SENT, "message_sent"),
        (pb.EVENT_KIND_ERROR, "message_error"),
    ],
)
def test_what_became_of_a_message(kind: pb.EventKind.ValueType, name: str) -> None:
    event = pb.Event(kind=kind, request_id="7a", message_hash=b"\x01\xff", error="why")
    told = {"eventType": name, "requestId": "7a", "messageHash": "0x01ff"}
    assert of_delivery(event) == told | ({"error": "why"} if name == "message_error" else {})


def test_the_reference_does_not_know_of_unconfirmed() -> None:
    assert of_delivery(pb.Event(kind=pb.EVENT_KIND_UNCONFIRMED, request_id="7a")) is None
    delivered = channels.CHANNEL_EVENT_KIND_DELIVERED
    assert of_channel(channels.ChannelEvent(kind=delivered, channel_id="c")) is None


def test_a_received_message() -> None:
    message = message_pb2.Message(payload=b"ab", content_topic="/a/1/b/c", timestamp=5, meta=b"m")
    event = pb.Event(kind=pb.EVENT_KIND_RECEIVED, message_hash=b"\x02", message=message)
    assert of_delivery(event) == {
        "eventType": "message_received",
        "messageHash": "0x02",
        "message": {
            "payload": [97, 98],
            "contentTopic": "/a/1/b/c",
            "meta": [109],
            "version": 0,
            "timestamp": 5,
            "ephemeral": False,
            "proof": [],
        },
    }


def test_the_connection() -> None:
    event = pb.Event(
        kind=pb.EVENT_KIND_CONNECTION, connection=pb.CONNECTION_STATUS_PARTIALLY_CONNECTED
    )
    assert of_delivery(event) == {
        "eventType": "connection_status_change",
        "connectionStatus": "PartiallyConnected",
    }


def test_channels() -> None:
    received = channels.ChannelEvent(
        kind=channels.CHANNEL_EVENT_KIND_RECEIVED, channel_id="c", sender_id="a", payload=b"hi"
    )
    assert of_channel(received) == {
        "eventType": "channel_message_received",
        "channelId": "c",
        "senderId": "a",
        "payload": "aGk=",
    }
    sent = channels.ChannelEvent(
        kind=channels.CHANNEL_EVENT_KIND_SENT, channel_id="c", request_id="7a"
    )
    told = {"channelId": "c", "requestId": "7a"}
    assert of_channel(sent) == {"eventType": "channel_message_sent", **told}
    for kind in (
        channels.CHANNEL_EVENT_KIND_SEND_ERROR,
        channels.CHANNEL_EVENT_KIND_DELIVERY_ERROR,
    ):
        failed = channels.ChannelEvent(kind=kind, channel_id="c", request_id="7a", error="why")
        assert of_channel(failed) == {
            "eventType": "channel_message_error",
            "error": "why",
            **told,
        }


def test_the_health_of_shards_is_told_when_it_changes() -> None:
    watch = ShardWatch()
    assert list(watch.changes({SHARD: pb.TOPIC_HEALTH_UNHEALTHY})) == []
    told = {"eventType": "relay_topic_health_change", "pubsubTopic": SHARD}
    for shards, health in (
        ({SHARD: LOW}, "MinimallyHealthy"),
        ({SHARD: HIGH}, "SufficientlyHealthy"),
        ({}, "NotSubscribed"),
    ):
        assert list(watch.changes(shards)) == [{**told, "topicHealth": health}]
        assert list(watch.changes(shards)) == []


def test_peers_come_and_go_once() -> None:
    watch, event = PeerWatch(), peering_pb2.WatchPeersResponse
    come = event(event=event.EVENT_CONNECTED, peer_id="p")
    gone = event(event=event.EVENT_DISCONNECTED, peer_id="p")
    told = {"eventType": "connection_change", "peerId": "p"}
    assert watch.change(gone) is None
    for _ in range(2):
        assert watch.change(come) == {**told, "peerEvent": "EventConnected"}
        assert watch.change(come) is None
        assert watch.change(event(event=event.EVENT_TRIMMED, peer_id="p")) is None
        assert watch.change(gone) == {**told, "peerEvent": "EventDisconnected"}
        assert watch.change(gone) is None
