"""How well this node is connected: rules, and a machine that tells of changes.

Spec: docs/protocol/delivery-sending.md, DSN-21 to DSN-23. Source: logos-messaging/logos-delivery
`health_monitor` at 69fbffa.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from logos_base.machine import Answer, Refuse

D_LOW: Final = 4
"""Neighbours in a mesh that are enough."""
ENOUGH_PEERS: Final = 2
"""Of each service, for a node that does not relay."""
QUIET_MS: Final = 100
"""Between two reports."""


class ConnectionStatus(Enum):
    """In all."""

    DISCONNECTED = "Disconnected"
    PARTIALLY_CONNECTED = "PartiallyConnected"
    CONNECTED = "Connected"


class TopicHealth(Enum):
    """Of one shard or content topic."""

    UNHEALTHY = "UnHealthy"
    MINIMALLY_HEALTHY = "MinimallyHealthy"
    SUFFICIENTLY_HEALTHY = "SufficientlyHealthy"
    NOT_SUBSCRIBED = "NotSubscribed"


class ProtocolStatus(Enum):
    """Of one protocol."""

    SYNCHRONIZING = "SYNCHRONIZING"
    READY = "READY"
    NOT_READY = "NOT_READY"
    NOT_MOUNTED = "NOT_MOUNTED"


class Protocol(Enum):
    """Protocols, by the names and in the order of the reference's reports."""

    RELAY = "Relay"
    LIGHTPUSH = "Lightpush"
    LEGACY_LIGHTPUSH = "Legacy Lightpush"
    FILTER = "Filter"
    STORE = "Store"
    PEER_EXCHANGE = "Peer Exchange"
    RENDEZVOUS = "Rendezvous"
    MIX = "Mix"
    LIGHTPUSH_CLIENT = "Lightpush Client"
    LEGACY_LIGHTPUSH_CLIENT = "Legacy Lightpush Client"
    STORE_CLIENT = "Store Client"
    FILTER_CLIENT = "Filter Client"
    RLN_RELAY = "Rln Relay"


_RELAYED: Final = "Node has no relay peers to fullfill push requests"
_NEEDS_RELAY: Final = {
    Protocol.LIGHTPUSH: _RELAYED,
    Protocol.LEGACY_LIGHTPUSH: _RELAYED,
    Protocol.FILTER: "Relay is not ready, filter will not be able to sort out messages",
}
"""The texts are the reference's, also where they are misspelled."""
_NEEDS_PEER: Final = {
    Protocol.RELAY: "No connected peers",
    Protocol.RENDEZVOUS: "No Rendezvous peers are available yet",
    Protocol.LIGHTPUSH_CLIENT: "No Lightpush service peer available yet",
    Protocol.LEGACY_LIGHTPUSH_CLIENT: "No Lightpush service peer available yet",
    Protocol.STORE_CLIENT: (
        "No Store service peer available yet, neither Store service set up for the node"
    ),
    Protocol.FILTER_CLIENT: "No Filter service peer available yet",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules need to know."""

    peers: Mapping[Protocol, int] = field(default_factory=dict)
    """Of each protocol that this node serves or uses, how many peers there are for it.

    A protocol that is not named is not mounted; what needs no peer has any number.
    """
    is_rln_synchronized: bool = True

    def is_mounted(self, protocol: Protocol) -> bool:
        """Says whether this node serves or uses it."""
        return protocol in self.peers

    def has_peer(self, protocol: Protocol) -> bool:
        """Says whether there is a peer for it."""
        return self.peers.get(protocol, 0) > 0


@dataclass(frozen=True, slots=True)
class ProtocolHealth:
    """How one protocol stands."""

    protocol: Protocol
    status: ProtocolStatus
    text: str = ""
    """Why it is NOT_READY."""


def protocol_health(protocol: Protocol, standing: Standing) -> ProtocolHealth:
    """Returns how a protocol stands (DSN-21)."""
    if not standing.is_mounted(protocol):
        return ProtocolHealth(protocol, ProtocolStatus.NOT_MOUNTED)
    if protocol is Protocol.RLN_RELAY and not standing.is_rln_synchronized:
        return ProtocolHealth(protocol, ProtocolStatus.SYNCHRONIZING)
    if protocol in _NEEDS_RELAY and not standing.has_peer(Protocol.RELAY):
        return ProtocolHealth(protocol, ProtocolStatus.NOT_READY, _NEEDS_RELAY[protocol])
    is_own_store = protocol is Protocol.STORE_CLIENT and standing.is_mounted(Protocol.STORE)
    if protocol in _NEEDS_PEER and not standing.has_peer(protocol) and not is_own_store:
        return ProtocolHealth(protocol, ProtocolStatus.NOT_READY, _NEEDS_PEER[protocol])
    return ProtocolHealth(protocol, ProtocolStatus.READY)


def protocols_health(standing: Standing) -> list[ProtocolHealth]:
    """Returns how all protocols stand, in the order of `Protocol`."""
    return [protocol_health(protocol, standing) for protocol in Protocol]


def connection_status(standing: Standing) -> ConnectionStatus:
    """Returns how well the node is connected in all (DSN-21)."""
    peers = standing.peers
    relay = peers.get(Protocol.RELAY, 0)
    if relay >= D_LOW:
        return ConnectionStatus.CONNECTED
    if relay > 0:
        return ConnectionStatus.PARTIALLY_CONNECTED
    services = (
        max(
            peers.get(Protocol.LIGHTPUSH_CLIENT, 0), peers.get(Protocol.LEGACY_LIGHTPUSH_CLIENT, 0)
        ),
        peers.get(Protocol.FILTER_CLIENT, 0),
        peers.get(Protocol.STORE_CLIENT, 0),
    )
    if min(services) >= ENOUGH_PEERS:
        return ConnectionStatus.CONNECTED
    return ConnectionStatus.PARTIALLY_CONNECTED if min(services) else ConnectionStatus.DISCONNECTED


def topic_health(neighbours: int | None) -> TopicHealth:
    """Returns the health of a shard by the neighbours in its mesh; None: not subscribed (DSN-22).

    For a node that does not relay they are its filter peers, of which two are enough:
    `edge_topic_health`.
    """
    return _topic_health(neighbours, D_LOW)


def edge_topic_health(filter_peers: int | None) -> TopicHealth:
    """Returns the health of a shard by the service nodes that push its messages (DSN-22)."""
    return _topic_health(filter_peers, ENOUGH_PEERS)


def _topic_health(peers: int | None, enough: int) -> TopicHealth:
    if peers is None:
        return TopicHealth.NOT_SUBSCRIBED
    if peers < 1:
        return TopicHealth.UNHEALTHY
    return TopicHealth.SUFFICIENTLY_HEALTHY if peers >= enough else TopicHealth.MINIMALLY_HEALTHY


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The connection status has changed."""

    status: ConnectionStatus


@dataclass(frozen=True, slots=True)
class ShardHealthChanged:
    """The health of a shard has changed."""

    pubsub_topic: str
    health: TopicHealth


@dataclass(frozen=True, slots=True)
class ContentTopicHealthChanged:
    """The health of a content topic has changed: that of its shard."""

    content_topic: str
    health: TopicHealth


Effect = ConnectionChanged | ShardHealthChanged | ContentTopicHealthChanged | Answer | Refuse


class HealthWatch:
    """Tells of changes, at most once in 100 ms (DSN-23).

    What changes and changes back in that time is not told of. Times are of a steady clock.
    """

    def __init__(self, *, relays: bool) -> None:
        """Says whether this node relays, or depends on service nodes."""
        self._health_of = topic_health if relays else edge_topic_health
        self._standing = Standing()
        self._neighbours: dict[str, int] = {}
        """Of each shard that this node follows."""
        self._topics: dict[str, str] = {}
        """Subscribed content topics, and their pubsub topics."""
        self._status = ConnectionStatus.DISCONNECTED
        self._shards: dict[str, TopicHealth] = {}
        self._contents: dict[str, TopicHealth] = {}
        self._is_changed = False
        self._quiet_until_ms: int | None = None

    @property
    def status(self) -> ConnectionStatus:
        """What was told last."""
        return self._status

    @property
    def shards(self) -> Mapping[str, TopicHealth]:
        """What was told last of each shard that this node follows."""
        return self._shards

    @property
    def content_topics(self) -> Mapping[str, TopicHealth]:
        """What was told last of each content topic that it subscribes to."""
        return self._contents

    def peers_changed(self, standing: Standing, now_ms: int) -> list[Effect]:
        """Takes how many peers there are."""
        self._standing = standing
        return self._look(now_ms)

    def mesh_changed(self, pubsub_topic: str, neighbours: int | None, now_ms: int) -> list[Effect]:
        """Takes how many neighbours a shard has; None: this node follows it no longer."""
        if neighbours is None:
            self._neighbours.pop(pubsub_topic, None)
        else:
            self._neighbours[pubsub_topic] = neighbours
        return self._look(now_ms)

    def subscribed(self, content_topic: str, pubsub_topic: str, now_ms: int) -> list[Effect]:
        """The application subscribes to a content topic."""
        self._topics[content_topic] = pubsub_topic
        return self._look(now_ms)

    def unsubscribed(self, content_topic: str, now_ms: int) -> list[Effect]:
        """It does not any more."""
        self._topics.pop(content_topic, None)
        return self._look(now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Tells of what has changed meanwhile."""
        if not self._is_changed or (self._quiet_until_ms or 0) > now_ms:
            return []
        self._is_changed = False
        effects = list(self._changes())
        if effects:
            self._quiet_until_ms = now_ms + QUIET_MS
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when the quiet ends, if something has changed."""
        return (self._quiet_until_ms or 0) if self._is_changed else None

    def _look(self, now_ms: int) -> list[Effect]:
        self._is_changed = True
        return self.tick(now_ms)

    def _changes(self) -> list[Effect]:
        effects: list[Effect] = []
        status = connection_status(self._standing)
        if status is not self._status:
            self._status = status
            effects.append(ConnectionChanged(status))
        shards = {topic: self._health_of(count) for topic, count in self._neighbours.items()}
        contents = {
            content: shards.get(topic, TopicHealth.NOT_SUBSCRIBED)
            for content, topic in self._topics.items()
        }
        gone = TopicHealth.NOT_SUBSCRIBED
        effects += [
            ShardHealthChanged(topic, shards.get(topic, gone))
            for topic in sorted({*shards, *self._shards})
            if shards.get(topic, gone) is not self._shards.get(topic, gone)
        ]
        effects += [
            ContentTopicHealthChanged(topic, contents.get(topic, gone))
            for topic in sorted({*contents, *self._contents})
            if contents.get(topic, gone) is not self._contents.get(topic, gone)
        ]
        self._shards, self._contents = shards, contents
        return effects
