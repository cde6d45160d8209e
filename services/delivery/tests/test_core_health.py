"""DSN-21 to DSN-23: how well a node is connected."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.health import (
    QUIET_MS,
    ConnectionChanged,
    ConnectionStatus,
    ContentTopicHealthChanged,
    HealthWatch,
    Protocol,
    ProtocolStatus,
    ShardHealthChanged,
    Standing,
    TopicHealth,
    connection_status,
    edge_topic_health,
    protocol_health,
    protocols_health,
    topic_health,
)

SHARD, CONTENT = "/waku/2/rs/66/1", "/app/1/name/proto"
VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/health.json").read_text("utf-8")
)


def relaying(peers: int) -> Standing:
    return Standing({Protocol.RELAY: peers})


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["connection"], ids=lambda case: case["id"])
def test_the_published_connection_states(case: dict[str, Any]) -> None:
    standing = Standing({Protocol(name): count for name, count in case["peers"].items()})
    assert connection_status(standing).value == case["status"]


def test_a_legacy_lightpush_peer_is_one_too() -> None:
    peers = {
        Protocol.LEGACY_LIGHTPUSH_CLIENT: 1,
        Protocol.FILTER_CLIENT: 1,
        Protocol.STORE_CLIENT: 1,
    }
    assert connection_status(Standing(peers)) is ConnectionStatus.PARTIALLY_CONNECTED


@pytest.mark.parametrize(
    ("peers", "health", "edge"),
    [
        (None, TopicHealth.NOT_SUBSCRIBED, TopicHealth.NOT_SUBSCRIBED),
        (0, TopicHealth.UNHEALTHY, TopicHealth.UNHEALTHY),
        (1, TopicHealth.MINIMALLY_HEALTHY, TopicHealth.MINIMALLY_HEALTHY),
        (2, TopicHealth.MINIMALLY_HEALTHY, TopicHealth.SUFFICIENTLY_HEALTHY),
        (3, TopicHealth.MINIMALLY_HEALTHY, TopicHealth.SUFFICIENTLY_HEALTHY),
        (4, TopicHealth.SUFFICIENTLY_HEALTHY, TopicHealth.SUFFICIENTLY_HEALTHY),
    ],
)
def test_the_health_of_a_topic(peers: int | None, health: TopicHealth, edge: TopicHealth) -> None:
    assert topic_health(peers) is health
    assert edge_topic_health(peers) is edge


@pytest.mark.parametrize(
    ("protocol", "peers", "status", "text"),
    [
        (Protocol.RELAY, {}, ProtocolStatus.NOT_MOUNTED, ""),
        (Protocol.RELAY, {Protocol.RELAY: 0}, ProtocolStatus.NOT_READY, "No connected peers"),
        (Protocol.RELAY, {Protocol.RELAY: 1}, ProtocolStatus.READY, ""),
        (
            Protocol.FILTER,
            {Protocol.FILTER: 3, Protocol.RELAY: 0},
            ProtocolStatus.NOT_READY,
            "Relay is not ready, filter will not be able to sort out messages",
        ),
        (Protocol.FILTER, {Protocol.FILTER: 0, Protocol.RELAY: 1}, ProtocolStatus.READY, ""),
        (Protocol.STORE, {Protocol.STORE: 0}, ProtocolStatus.READY, ""),
        (
            Protocol.STORE_CLIENT,
            {Protocol.STORE_CLIENT: 0, Protocol.STORE: 0},
            ProtocolStatus.READY,
            "",
        ),
        (
            Protocol.STORE_CLIENT,
            {Protocol.STORE_CLIENT: 0},
            ProtocolStatus.NOT_READY,
            "No Store service peer available yet, neither Store service set up for the node",
        ),
        (Protocol.MIX, {Protocol.MIX: 0}, ProtocolStatus.READY, ""),
        (Protocol.RLN_RELAY, {Protocol.RLN_RELAY: 0}, ProtocolStatus.READY, ""),
    ],
)
def test_the_health_of_a_protocol(
    protocol: Protocol, peers: dict[Protocol, int], status: ProtocolStatus, text: str
) -> None:
    found = protocol_health(protocol, Standing(peers))
    assert (found.status, found.text) == (status, text)


def test_rate_limits_without_members_are_synchronizing() -> None:
    standing = Standing({Protocol.RLN_RELAY: 0}, is_rln_synchronized=False)
    assert protocol_health(Protocol.RLN_RELAY, standing).status is ProtocolStatus.SYNCHRONIZING
    assert [each.protocol for each in protocols_health(standing)] == list(Protocol)


def test_a_change_is_told_at_once_and_the_next_after_a_quiet_time() -> None:
    watch = HealthWatch(relays=True)

    told = watch.peers_changed(relaying(1), 1_000)

    assert told == [ConnectionChanged(ConnectionStatus.PARTIALLY_CONNECTED)]
    assert watch.peers_changed(relaying(4), 1_001) == []
    assert watch.next_wake_ms() == 1_000 + QUIET_MS
    assert watch.tick(1_000 + QUIET_MS) == [ConnectionChanged(ConnectionStatus.CONNECTED)]
    assert watch.next_wake_ms() is None


def test_what_changes_back_in_the_quiet_time_is_not_told() -> None:
    watch = HealthWatch(relays=True)
    watch.peers_changed(relaying(1), 0)
    watch.peers_changed(relaying(0), 1)
    watch.peers_changed(relaying(1), 2)

    assert watch.tick(QUIET_MS) == []
    assert watch.next_wake_ms() is None


def test_a_content_topic_has_the_health_of_its_shard() -> None:
    watch = HealthWatch(relays=True)
    watch.subscribed(CONTENT, SHARD, 0)

    assert watch.mesh_changed(SHARD, 2, 1_000) == [
        ShardHealthChanged(SHARD, TopicHealth.MINIMALLY_HEALTHY),
        ContentTopicHealthChanged(CONTENT, TopicHealth.MINIMALLY_HEALTHY),
    ]
    assert watch.shards == {SHARD: TopicHealth.MINIMALLY_HEALTHY}
    assert watch.content_topics == {CONTENT: TopicHealth.MINIMALLY_HEALTHY}
    assert watch.unsubscribed(CONTENT, 2_000) == [
        ContentTopicHealthChanged(CONTENT, TopicHealth.NOT_SUBSCRIBED)
    ]
    assert watch.mesh_changed(SHARD, None, 3_000) == [
        ShardHealthChanged(SHARD, TopicHealth.NOT_SUBSCRIBED)
    ]


def test_for_a_node_that_does_not_relay_two_service_nodes_are_enough() -> None:
    watch = HealthWatch(relays=False)
    assert watch.mesh_changed(SHARD, 2, 0) == [
        ShardHealthChanged(SHARD, TopicHealth.SUFFICIENTLY_HEALTHY)
    ]


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 5)), max_size=40))
def test_the_last_state_is_told_and_never_two_reports_in_the_quiet_time(
    changes: list[tuple[int, int]],
) -> None:
    watch, now_ms, told = HealthWatch(relays=True), 0, list[tuple[int, ConnectionStatus]]()

    def take(effects: list[Any]) -> None:
        told.extend((now_ms, effect.status) for effect in effects)

    for pause_ms, peers in changes:
        arrival = now_ms + pause_ms
        while (wake := watch.next_wake_ms()) is not None and wake <= arrival:
            now_ms = max(now_ms, wake)
            take(watch.tick(now_ms))
        now_ms = arrival
        take(watch.peers_changed(relaying(peers), now_ms))
    while (wake := watch.next_wake_ms()) is not None:
        now_ms = max(now_ms, wake)
        take(watch.tick(now_ms))

    last = connection_status(relaying(changes[-1][1] if changes else 0))
    assert ([ConnectionStatus.DISCONNECTED] + [status for _, status in told])[-1] is last
    assert all(b - a >= QUIET_MS for (a, _), (b, _) in pairwise(told))
    assert all(a is not b for (_, a), (_, b) in pairwise(told))
