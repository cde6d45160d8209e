"""DHT-22: the drop-in for the reference's Python bindings, over a node that is not one."""

import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from logos.delivery.v1 import channels_pb2, delivery_pb2

sys.path.insert(0, str(Path(__file__).parents[2] / "compat" / "logos-delivery"))  # a program

import wrapper
from local_node import INFO_IDS, NodeError, address_of
from wrapper import NodeWrapper

TOPIC = "/app/1/chat/proto"


class Refusing:
    """A node that keeps the channels that are open, and refuses what is not well formed."""

    def __init__(self) -> None:
        self.open: dict[str, str] = {}
        self.calls: list[str] = []
        self.ended: list[str] = []

    def start(self, timeout_s: float) -> None:
        raise NodeError("its kernel has ended: no room")

    def stop(self, timeout_s: float) -> None:
        self.ended.append("stopped")

    def remove(self, timeout_s: float) -> None:
        self.ended.append("removed")

    def information(self, name: str, timeout_s: float) -> str:
        return f"the {name}"

    def delivery(self, method: str, request: Any, timeout_s: float) -> Any:
        self.calls.append(method)
        if method == "Send":
            if not request.content_topic.startswith("/"):
                raise NodeError("must start with a slash", "CONTENT_TOPIC_INVALID")
            if timeout_s < 1:
                raise NodeError(f"timeout after {timeout_s}s")
            return delivery_pb2.SendResponse(request_id=f"{request.payload.hex()}")
        reason = "" if request.content_topics[0].startswith("/") else "CONTENT_TOPIC_INVALID"
        result = delivery_pb2.TopicResult(content_topic=request.content_topics[0], reason=reason)
        return delivery_pb2.SubscribeResponse(results=[result])

    def channels(self, method: str, request: Any, timeout_s: float) -> Any:
        if method == "List":
            return channels_pb2.ChannelsListResponse(
                channels=[
                    channels_pb2.Channel(channel_id=name, content_topic=topic)
                    for name, topic in self.open.items()
                ]
            )
        name = request.channel_id
        if method == "Create":
            if name in self.open:
                raise NodeError(f"channel already exists: {name}", "CHANNEL_EXISTS")
            self.open[name] = request.content_topic
            return channels_pb2.ChannelsCreateResponse()
        if name not in self.open:
            raise NodeError(f"unknown channel: {name}", "CHANNEL_UNKNOWN")
        if method == "Close":
            del self.open[name]
            return channels_pb2.ChannelsCloseResponse()
        return channels_pb2.ChannelsSendResponse(request_id=request.payload.hex())


@pytest.fixture
def inner() -> Refusing:
    return Refusing()


@pytest.fixture
def node(inner: Refusing) -> Any:
    return NodeWrapper(inner, None, None)  # type: ignore[arg-type]


def message(payload: bytes = b"hi", **more: Any) -> dict[str, Any]:
    return {"contentTopic": TOPIC, "payload": b64encode(payload).decode(), **more}


def test_a_message_is_sent(node: Any) -> None:
    assert node.send_message(message()).ok_value == b"hi".hex()
    assert node.subscribe_content_topic(TOPIC).ok_value == 0
    assert node.unsubscribe_content_topic(TOPIC).ok_value == 0


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"contentTopic": "no-slash", "payload": "aGk="}, "Failed to auto-subscribe"),
        ({"contentTopic": TOPIC}, "Missing payload"),
        ({"payload": "aGk="}, "Missing contentTopic"),
        ({"contentTopic": TOPIC, "payload": "aGk"}, "invalid payload"),
    ],
)
def test_messages_that_are_refused(node: Any, given: dict[str, Any], text: str) -> None:
    assert text in node.send_message(given).err()


def test_topics_that_are_refused(node: Any) -> None:
    assert "CONTENT_TOPIC_INVALID" in node.subscribe_content_topic("no-slash").err()
    assert "timeout after 0.5s" in node.send_message(message(), timeout_s=0.5).err()


def test_channels_have_the_references_texts(node: Any) -> None:
    assert node.channel_create("c", TOPIC, "me").ok_value == "c"
    assert "channel already exists: c" in node.channel_create("c", TOPIC, "me").err()
    assert "empty payload" in node.channel_send("c", message(b"")).err()
    assert node.channel_send("c", message()).ok_value == b"hi".hex()
    assert "unknown channel: d" in node.channel_send("d", message()).err()
    assert "unknown channel: d" in node.channel_close("d").err()
    assert node.channel_close("c").is_ok()
    assert "unknown channel: c" in node.channel_close("c").err()


def test_a_topic_is_left_with_its_last_channel(node: Any, inner: Refusing) -> None:
    node.channel_create("c", TOPIC, "me")
    node.channel_create("d", TOPIC, "me")
    node.channel_close("c")
    assert inner.calls == []
    node.channel_close("d")
    assert inner.calls == ["Unsubscribe"]


def test_no_node_and_one_that_is_gone_refuse_all() -> None:
    assert "not initialized" in NodeWrapper(wrapper.ffi.NULL, None, None).send_message({}).err()
    gone = NodeWrapper(Refusing(), None, None)  # type: ignore[arg-type]
    assert gone.destroy_keep_ctx().is_ok()
    assert gone.ctx is not None
    assert "not initialized" in gone.send_message(message()).err()
    assert "not initialized" in gone.start_node().err()


def test_it_ends_in_order_and_once(node: Any, inner: Refusing) -> None:
    assert "its kernel has ended" in node.start_node().err()
    assert node.stop_and_destroy().is_ok()
    assert node.destroy().ok_value == 0
    assert inner.ended == ["stopped", "removed"]


def test_what_it_says_of_itself(node: Any) -> None:
    assert node.get_available_node_info_ids().ok_value == list(INFO_IDS)
    assert node.get_node_info("MyENR").ok_value == "the MyENR"
    options = node.get_available_configs().ok_value["configOptions"]
    assert {"numShardsInNetwork": "int(0)", "desc": "as --num-shards-in-network"} in options


def test_a_configuration_that_cannot_be_kept() -> None:
    assert "nosuchkey: unknown" in NodeWrapper.create_node({"noSuchKey": 1}).err()


def test_one_address_of_many() -> None:
    others = ["/ip4/127.0.0.1/tcp/1/p2p/x", "/ip6/::1/tcp/1/p2p/x", "/ip4/10.0.0.7/tcp/1/p2p/x"]
    assert address_of(others) == others[2]
    assert address_of(others[:2]) == others[0]
    assert address_of([]) == ""
