"""DHT-22, DHT-23: two nodes of the drop-in, with their processes.

The behaviours are those that logos-messaging/logos-delivery `tests-e2e` at 69fbffa checks.
"""

import json
import queue
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "compat" / "logos-delivery"))  # a program

from wrapper import NodeWrapper

pytestmark = pytest.mark.integration

TOPIC = "/app/1/chat/proto"
CONFIG: dict[str, Any] = {
    "logLevel": "INFO",
    "listenAddress": "127.0.0.1",
    "tcpPort": 0,
    "clusterId": 198,
    "numShardsInNetwork": 1,
    "filter": False,
    "lightpush": False,
}
WAIT_S = 60.0


class Told:
    """What a node has told."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.all: list[dict[str, Any]] = []

    def __call__(self, code: int, raw: bytes) -> None:
        assert code == 0
        self._queue.put(json.loads(raw))

    def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Waits for an event."""
        wanted = {"eventType": kind, **fields}
        until = time.monotonic() + WAIT_S
        while True:
            for event in self.all:
                if wanted.items() <= event.items():
                    return event
            self.all.append(self._queue.get(timeout=until - time.monotonic()))

    def heard(self) -> list[dict[str, Any]]:
        """Everything so far."""
        while not self._queue.empty():
            self.all.append(self._queue.get())
        return self.all


class Node:
    """A node that runs, and what it tells."""

    def __init__(self, **config: Any) -> None:
        self.told = Told()
        created = NodeWrapper.create_and_start({**CONFIG, **config}, self.told, timeout_s=WAIT_S)
        self.one = created.unwrap()

    def info(self, name: str) -> str:
        return self.one.get_node_info(name).unwrap()


@pytest.fixture
def pair() -> Iterator[tuple[Node, Node]]:
    first = Node(reliabilityEnabled=True)
    second = None
    try:
        second = Node(staticnodes=[first.info("MyMultiaddresses")], store=True)
        yield first, second
    finally:
        for node in filter(None, (second, first)):
            assert node.one.stop_and_destroy().is_ok()


def message(payload: bytes, **more: Any) -> dict[str, Any]:
    return {"contentTopic": TOPIC, "payload": b64encode(payload).decode(), **more}


def test_two_nodes(pair: tuple[Node, Node]) -> None:
    first, second = pair
    ports = json.loads(first.info("MyBoundPorts"))
    assert first.info("MyMultiaddresses").startswith(f"/ip4/127.0.0.1/tcp/{ports['tcp']}/p2p/")
    assert (ports["rest"], ports["metrics"]) == (0, 0)
    first.told.until("connection_status_change", connectionStatus="PartiallyConnected")
    assert second.one.subscribe_content_topic(TOPIC).is_ok()
    _a_message_is_told_in_order(first, second)
    _a_message_without_the_mark_of_a_channel_is_none_of_it(first, second)
    _a_node_that_starts_again_goes_on(first, second)


def _a_message_is_told_in_order(first: Node, second: Node) -> None:
    request = first.one.send_message(message(b"hello")).unwrap()
    first.told.until("message_sent", requestId=request)
    kinds = [one["eventType"] for one in first.told.all if one.get("requestId") == request]
    assert kinds == ["message_propagated", "message_sent"]
    received = second.told.until("message_received")
    assert bytes(received["message"]["payload"]) == b"hello"


def _a_message_without_the_mark_of_a_channel_is_none_of_it(first: Node, second: Node) -> None:
    for node, sender in ((first, "one"), (second, "two")):
        assert node.one.channel_create("c", TOPIC, sender).unwrap() == "c"
    assert first.one.send_message(message(b"plain")).is_ok()
    handle = first.one.channel_send("c", message(b"in the channel")).unwrap()
    received = second.told.until("channel_message_received")
    assert (received["senderId"], received["payload"]) == (
        "one",
        b64encode(b"in the channel").decode(),
    )
    first.told.until("channel_message_sent", requestId=handle)
    assert first.one.channel_close("c").is_ok()


def _a_node_that_starts_again_goes_on(first: Node, second: Node) -> None:
    address = first.info("MyMultiaddresses")
    assert first.one.stop_node().is_ok()
    assert "not running" in first.one.send_message(message(b"x")).err()
    assert first.one.start_node(timeout_s=WAIT_S).is_ok()
    assert first.info("MyMultiaddresses") == address
    request = first.one.send_message(message(b"again")).unwrap()
    first.told.until("message_propagated", requestId=request)


def test_a_node_that_is_alone_tells_nothing() -> None:
    node = Node(rest=True, restPort=0, metricsServer=True, metricsServerPort=0)
    try:
        assert node.one.channel_create("c", TOPIC, "me").is_ok()
        assert "channel already exists: c" in node.one.channel_create("c", TOPIC, "me").err()
        assert (
            "Failed to auto-subscribe"
            in node.one.send_message({"contentTopic": "/app//name/proto", "payload": "aGk="}).err()
        )
        assert node.one.channel_send("c", message(b"hi", ephemeral=True)).is_ok()
        assert "waku_node_messages" in node.info("Metrics")
        assert node.info("MaxMessageSize") == "153600"
    finally:
        assert node.one.stop_and_destroy().is_ok()
    assert node.told.heard() == []
