"""`logosctl delivery`, against a node that says what a test has it say."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from logos.delivery.v1 import (
    delivery_pb2,
    delivery_pb2_grpc,
    light_pb2,
    light_pb2_grpc,
    relay_pb2,
    relay_pb2_grpc,
    store_pb2,
    store_pb2_grpc,
)
from logos_cli.main import app
from logos_commands.delivery.messages import PAGE

TOPIC = "/app/1/chat/proto"
OTHER = "/app/1/news/proto"
SHARD = "/waku/2/rs/3/1"
REQUEST_ID = "ab" * 16
HASH = bytes(range(32))
CLEAR = "\x1b[2J"
"""Clears the screen of a terminal that is sent it."""

PROPAGATED = delivery_pb2.EVENT_KIND_PROPAGATED
SENT = delivery_pb2.EVENT_KIND_SENT
FAILED = delivery_pb2.EVENT_KIND_ERROR
UNCONFIRMED = delivery_pb2.EVENT_KIND_UNCONFIRMED


def told(position: int, kind: delivery_pb2.EventKind, error: str = "") -> delivery_pb2.Event:
    """An event of the request."""
    return delivery_pb2.Event(
        position=position,
        kind=kind,
        at={"seconds": 1_760_000_000},
        request_id=REQUEST_ID,
        message_hash=HASH,
        content_topic=TOPIC,
        error=error,
    )


def received(position: int, payload: bytes, topic: str = TOPIC) -> delivery_pb2.Event:
    return delivery_pb2.Event(
        position=position,
        kind=delivery_pb2.EVENT_KIND_RECEIVED,
        at={"seconds": 1_760_000_000 + position},
        message_hash=HASH,
        content_topic=topic,
        message={"payload": payload, "content_topic": topic, "timestamp": position},
    )


class Scripted(
    delivery_pb2_grpc.DeliveryServicer,
    light_pb2_grpc.PeerExchangeServicer,
    relay_pb2_grpc.RelayServicer,
    store_pb2_grpc.StoreServicer,
):
    """Answers with what a test has it say; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.pages: list[delivery_pb2.WatchEventsResponse] = []
        self.refused: dict[str, str] = {}
        self.kept: list[bytes] = []
        self.health = delivery_pb2.Health()
        self.shards: list[Any] = []
        self.info = delivery_pb2.GetNodeInfoResponse()
        self.told = light_pb2.GetPeersResponse()

    def says(self, *events: delivery_pb2.Event, gap: bool = False) -> None:
        """Adds a page of events."""
        self.pages.append(delivery_pb2.WatchEventsResponse(events=events, gap=gap))

    def Send(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return delivery_pb2.SendResponse(request_id=REQUEST_ID, message_hash=HASH)

    def WatchEvents(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        self.asked.append(request)
        yield from self.pages

    def Subscribe(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        results = [
            {"content_topic": one, "reason": self.refused.get(one, "")}
            for one in request.content_topics
        ]
        return delivery_pb2.SubscribeResponse(results=results)

    def ListSubscriptions(self, request: Any, context: Any) -> Any:  # noqa: N802
        both = [{"content_topic": one, "pubsub_topic": SHARD} for one in (TOPIC, OTHER)]
        return delivery_pb2.ListSubscriptionsResponse(subscriptions=both)

    def GetHealth(self, request: Any, context: Any) -> Any:  # noqa: N802
        return delivery_pb2.GetHealthResponse(health=self.health)

    def GetNodeInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.info

    def GetPeers(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return self.told

    def ListShards(self, request: Any, context: Any) -> Any:  # noqa: N802
        return relay_pb2.ListShardsResponse(shards=self.shards)

    def Query(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Pages from the newest message on, each with its oldest first; the cursor is a place."""
        self.asked.append(request)
        end = int(request.pagination_cursor or len(self.kept))
        start = max(0, end - request.pagination_limit)
        found = [
            {
                "message_hash": number.to_bytes(32, "big"),
                "message": {"payload": self.kept[number], "content_topic": TOPIC},
            }
            for number in range(start, end)
        ]
        cursor = str(start).encode() if start else None
        return store_pb2.StoreQueryResponse(messages=found, pagination_cursor=cursor)


class Node:
    """A node, and the command line towards it."""

    def __init__(self, address: str, delivery: Scripted) -> None:
        self.delivery = delivery
        self.address = address

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["--address", self.address, "delivery", *words])


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setenv("LOGOS_TOKEN", f"logos_{43 * 'b'}")
    monkeypatch.delenv("LOGOS_OUTPUT", raising=False)
    delivery, server = Scripted(), grpc.server(ThreadPoolExecutor(2))
    delivery_pb2_grpc.add_DeliveryServicer_to_server(delivery, server)
    light_pb2_grpc.add_PeerExchangeServicer_to_server(delivery, server)
    relay_pb2_grpc.add_RelayServicer_to_server(delivery, server)
    store_pb2_grpc.add_StoreServicer_to_server(delivery, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield Node(f"127.0.0.1:{port}", delivery)
    server.stop(0).wait()


@pytest.mark.parametrize(
    ("events", "code", "said"),
    [
        ([told(1, PROPAGATED), told(2, SENT)], 0, ["another node has it", "a store node has it"]),
        (
            [told(1, PROPAGATED), told(2, UNCONFIRMED, "no answer")],
            0,
            [
                "another node has it",
                "it was passed on; no store node has confirmed it: no answer",
            ],
        ),
        ([told(1, FAILED, "too large")], 5, ["it could not be sent: too large"]),
    ],
    ids=["sent", "unconfirmed", "failed"],
)
def test_a_message_is_followed_to_its_end(
    node: Node, events: list[delivery_pb2.Event], code: int, said: list[str]
) -> None:
    for one in events:
        node.delivery.says(one)
    node.delivery.says(told(9, PROPAGATED))  # the command has ended by then

    ended = node.run("send", TOPIC, "hello")

    assert (ended.exit_code, ended.stdout) == (code, f"{REQUEST_ID}\n")
    assert ended.stderr.splitlines() == said
    sent, watched = node.delivery.asked
    assert (sent.content_topic, sent.payload) == (TOPIC, b"hello")
    assert (sent.ephemeral, sent.via_mix) == (False, False)
    assert (watched.after, watched.request_ids) == (0, [REQUEST_ID])


@pytest.mark.parametrize(("end", "code"), [(SENT, 0), (FAILED, 5)])
def test_a_send_in_json_is_one_record_with_its_events(
    node: Node, end: delivery_pb2.EventKind, code: int
) -> None:
    node.delivery.says(told(1, PROPAGATED), told(2, end, "why"))

    ended = node.run("send", TOPIC, "hello", "--output", "json")

    record = json.loads(ended.stdout)
    assert ended.exit_code == code
    assert (record["request_id"], record["message_hash"]) == (REQUEST_ID, HASH.hex())
    first, last = record["events"]
    assert first == {
        "position": 1,
        "kind": "propagated",
        "at": "2025-10-09T08:53:20Z",
        "request_id": REQUEST_ID,
        "message_hash": HASH.hex(),
        "content_topic": TOPIC,
        "error": "",
    }
    assert (last["kind"], last["error"]) == ("sent" if end == SENT else "error", "why")


def test_an_ephemeral_message_has_arrived_once_another_node_has_it(node: Node) -> None:
    node.delivery.says(told(1, PROPAGATED), told(2, FAILED))

    ended = node.run("send", TOPIC, "hello", "--ephemeral", "--mix")

    assert (ended.exit_code, ended.stderr) == (0, "another node has it\n")
    sent, _ = node.delivery.asked
    assert (sent.ephemeral, sent.via_mix) == (True, True)


def test_a_send_whose_node_stops_has_not_arrived(node: Node) -> None:
    node.delivery.says(told(1, PROPAGATED))

    ended = node.run("send", TOPIC, "hello")

    assert ended.exit_code == 3
    assert "FOLLOW_ENDED" in ended.stderr


def test_a_send_that_does_not_wait_asks_for_no_events(node: Node) -> None:
    ended = node.run("send", TOPIC, "hello", "--no-wait")

    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, f"{REQUEST_ID}\n", "")
    assert len(node.delivery.asked) == 1


def test_what_other_nodes_say_of_a_failure_cannot_steer_the_terminal(node: Node) -> None:
    node.delivery.says(told(1, FAILED, f"no{CLEAR}"))

    ended = node.run("send", TOPIC, "hello")

    assert CLEAR not in ended.output
    assert r"it could not be sent: no\x1b[2J" in ended.stderr


def test_subscribed_messages_are_lines_until_their_count(node: Node) -> None:
    node.delivery.says()
    node.delivery.says(received(1, b"hello"), received(2, CLEAR.encode(), OTHER))
    node.delivery.says(received(3, b"\xff\xfe"), received(4, b"after the count"))

    ended = node.run("subscribe", TOPIC, OTHER, "--count", "3")

    assert ended.exit_code == 0
    assert ended.stdout.splitlines() == [
        f"08:53:21  {TOPIC}  hello",
        rf"08:53:22  {OTHER}  \x1b[2J",
        f"08:53:23  {TOPIC}  2 B that are not text",
    ]
    assert f"subscribed to {TOPIC}, {OTHER}" in ended.stderr
    watched, subscribed = node.delivery.asked
    assert (watched.content_topics, watched.HasField("after")) == ([TOPIC, OTHER], False)
    assert watched.kinds == [delivery_pb2.EVENT_KIND_RECEIVED]
    assert subscribed.content_topics == [TOPIC, OTHER]


def test_subscribed_messages_in_json_are_a_line_each_from_a_position_on(node: Node) -> None:
    node.delivery.says(received(5, b"hello"), received(6, b"\xff"), gap=True)

    ended = node.run("subscribe", TOPIC, "--after", "4", "--output", "json")

    assert ended.exit_code == 0
    text, binary = map(json.loads, ended.stdout.splitlines())
    assert text == {
        "position": 5,
        "kind": "received",
        "at": "2025-10-09T08:53:25Z",
        "message_hash": HASH.hex(),
        "content_topic": TOPIC,
        "timestamp": 5,
        "ephemeral": False,
        "meta_base64": "",
        "bytes": 5,
        "content": "hello",
    }
    assert (binary["bytes"], binary["content_base64"]) == (1, "/w==")
    assert "older messages are no longer kept" in ended.stderr
    assert node.delivery.asked[0].after == 4


def test_a_topic_that_is_refused_ends_the_subscription(node: Node) -> None:
    node.delivery.says()
    node.delivery.says(received(1, b"hello"))
    node.delivery.refused = {OTHER: "CONTENT_TOPIC_INVALID"}

    ended = node.run("subscribe", TOPIC, OTHER)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert f"{OTHER}: CONTENT_TOPIC_INVALID" in ended.stderr


def test_history_is_the_newest_messages_oldest_first(node: Node) -> None:
    node.delivery.kept = [b"first", b"second", b"\xff\xff", CLEAR.encode()]

    ended = node.run("history", TOPIC, OTHER, "--limit", "3", "--peer", "16U")

    assert ended.exit_code == 0
    header, *rows = ended.stdout.splitlines()
    assert header.split() == ["TIMESTAMP", "CONTENT", "TOPIC", "CONTENT"]
    assert [row.split(maxsplit=2)[2] for row in rows] == ["second", "2 bytes", r"\x1b[2J"]
    [asked] = node.delivery.asked
    assert (asked.content_topics, asked.peer_id) == ([TOPIC, OTHER], "16U")
    assert (asked.include_data, asked.pagination_limit) == (True, 3)


def test_history_is_asked_for_page_by_page_up_to_its_limit(node: Node) -> None:
    node.delivery.kept = [str(number).encode() for number in range(3 * PAGE)]

    ended = node.run("history", "--limit", str(2 * PAGE + 50), "--output", "json")

    found = [row["content"] for row in json.loads(ended.stdout)]
    assert found == [str(number) for number in range(50, 3 * PAGE)]
    assert [one.pagination_limit for one in node.delivery.asked] == [PAGE, PAGE, 50]


def test_history_ends_with_the_oldest_message(node: Node) -> None:
    node.delivery.kept = [b"only"]

    ended = node.run("history", "--output", "json")

    assert [row["message_hash"] for row in json.loads(ended.stdout)] == [bytes(32).hex()]
    assert len(node.delivery.asked) == 1


HEALTH = delivery_pb2.Health(
    connection=delivery_pb2.CONNECTION_STATUS_PARTIALLY_CONNECTED,
    text=f"few neighbours{CLEAR}",
    shards={SHARD: delivery_pb2.TOPIC_HEALTH_MINIMALLY_HEALTHY},
    content_topics={TOPIC: delivery_pb2.TOPIC_HEALTH_UNHEALTHY},
    protocols=[
        {"protocol": "filter", "mounted": False},
        {"protocol": "relay", "mounted": True, "ready": True},
        {"protocol": "store client", "mounted": True, "text": "no store node"},
    ],
)


def test_health_is_the_status_topics_and_the_protocols_in_use(node: Node) -> None:
    node.delivery.health = HEALTH

    ended = node.run("health")

    assert ended.exit_code == 0
    assert ended.stdout.splitlines() == [
        r"partially connected: few neighbours\x1b[2J",
        f"  {SHARD}  minimally healthy",
        f"  {TOPIC}  unhealthy",
        "  relay  ready",
        "  store client  not ready: no store node",
    ]


def test_health_in_json_has_all_protocols(node: Node) -> None:
    node.delivery.health = HEALTH

    record = json.loads(node.run("health", "--output", "json").stdout)

    assert (record["connection"], record["text"]) == ("partially connected", HEALTH.text)
    assert record["shards"] == {SHARD: "minimally healthy"}
    assert record["content_topics"] == {TOPIC: "unhealthy"}
    assert [one["protocol"] for one in record["protocols"]] == ["filter", "relay", "store client"]
    assert record["protocols"][0] == {
        "protocol": "filter",
        "mounted": False,
        "ready": False,
        "text": "",
    }


def test_peers_are_the_neighbours_on_each_shard(node: Node) -> None:
    node.delivery.shards = [
        {"pubsub_topic": SHARD, "peer_ids": ["16Ua", "16Ub"], "mesh_peer_ids": ["16Ub"]},
        {"pubsub_topic": "/waku/2/rs/3/2"},
    ]

    table, document = node.run("peers"), node.run("peers", "--output", "json")

    assert [line.split() for line in table.stdout.splitlines()] == [
        ["SHARD", "PEER", "ID", "MESH"],
        [SHARD, "16Ua", "no"],
        [SHARD, "16Ub", "yes"],
    ]
    assert json.loads(document.stdout) == [
        {"shard": SHARD, "peer_id": "16Ua", "mesh": False},
        {"shard": SHARD, "peer_id": "16Ub", "mesh": True},
    ]


def test_topics_are_listed_with_their_shards(node: Node) -> None:
    table, document = node.run("topics"), node.run("topics", "--output", "json")

    assert [line.split() for line in table.stdout.splitlines()] == [
        ["CONTENT", "TOPIC", "PUBSUB", "TOPIC"],
        [TOPIC, SHARD],
        [OTHER, SHARD],
    ]
    assert json.loads(document.stdout) == [
        {"content_topic": TOPIC, "pubsub_topic": SHARD},
        {"content_topic": OTHER, "pubsub_topic": SHARD},
    ]


INFO = delivery_pb2.GetNodeInfoResponse(
    peer_id="16U", addresses=["/ip4/1.2.3.4/tcp/5/p2p/16U"], mode="core", preset="logos.dev",
    cluster=3, shards=8, version="0.1.0", enr="enr:-abc",
)  # fmt: skip


def test_a_node_is_shown_with_its_record(node: Node) -> None:
    node.delivery.info.CopyFrom(INFO)

    told = node.run("info")
    record = json.loads(node.run("info", "--output", "json").stdout)

    assert told.stdout.splitlines() == [
        "16U: core, logos.dev, cluster 3 of 8 shards",
        "  /ip4/1.2.3.4/tcp/5/p2p/16U",
        "  enr:-abc",
    ]
    assert (record["enr"], record["enr_missing"]) == ("enr:-abc", None)


def test_why_a_node_has_no_record_is_said(node: Node) -> None:
    node.delivery.info.CopyFrom(INFO)
    node.delivery.info.enr_missing = f"no key{CLEAR}"
    assert r"its record is out of date: no key\x1b[2J" in node.run("info").stdout

    node.delivery.info.enr = ""

    assert r"  no record: no key\x1b[2J" in node.run("info").stdout.splitlines()


def test_nodes_that_a_service_node_tells_of_are_rows(node: Node) -> None:
    one = node.delivery.told.peers.add(peer_id="16A", enr="enr:-a", sequence=7)
    one.addresses.append(f"/dns4/{CLEAR}/tcp/1")
    node.delivery.told.peer_id = "16S"

    told = node.run("exchange", "16S", "--count", "9")
    [row] = json.loads(node.run("exchange", "--output", "json").stdout)

    assert told.exit_code == 0
    assert CLEAR not in told.output
    assert [(asked.peer_id, asked.count) for asked in node.delivery.asked] == [("16S", 9), ("", 60)]
    assert (row["peer_id"], row["enr"], row["record"], row["told_by"]) == (
        "16A",
        "enr:-a",
        7,
        "16S",
    )
