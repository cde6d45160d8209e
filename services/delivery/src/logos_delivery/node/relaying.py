"""The relay of a node, and what a relaying node does for others."""

from logos_delivery.core.light.rates import PeerLimits, Service, ServiceLimits
from logos_delivery.core.message import decode
from logos_delivery.core.relay.relay_guard import RelayRules
from logos_delivery.core.topics import parse_pubsub_topic
from logos_delivery.net.gossip import NetworkGossip
from logos_delivery.node.clocks import monotonic_ms, unix_ms
from logos_delivery.node.surroundings import Surroundings
from logos_delivery.operations.accusing import Accusing
from logos_delivery.operations.clusters import ClusterOperations
from logos_delivery.operations.filter_service import FilterServing
from logos_delivery.operations.light_push import LightPushAnswers
from logos_delivery.operations.passing import Passing
from logos_delivery.operations.relay import RelayOperations
from logos_delivery.operations.sending import Pushing


class Relaying:
    """The relay, and the services that need one. An edge node has none of them."""

    def __init__(self, around: Surroundings) -> None:
        preset = around.preset
        self._cluster = preset.cluster
        self.relay = _relay(around)
        self.accusing = _accusing(around, self.relay)
        self.passing = Passing(
            self.relay,
            around.proofs,
            unix_ms,
            around.stopping,
            cluster=preset.cluster,
            shards=preset.shards,
            identifier=around.identifier,
        )
        self.serving = _filter_service(around)
        self.pushes = _light_push_service(around, self.relay)
        self.clusters = ClusterOperations(
            around.requests, around.services, self.own_shards, cluster=preset.cluster
        )

    def own_shards(self) -> list[int]:
        """Returns the shards of this cluster that the node follows now."""
        followed = () if self.relay is None else self.relay.followed
        topics = [parse_pubsub_topic(topic) for topic in followed]
        return [one.shard for one in topics if one.cluster == self._cluster]


def _relay(around: Surroundings) -> RelayOperations | None:
    if not around.config.relays:
        return None
    rules = RelayRules(around.preset.max_message_bytes, around.limits)
    return RelayOperations(NetworkGossip(around.network), around.proofs, rules, unix_ms)


def _accusing(around: Surroundings, relay: RelayOperations | None) -> Accusing | None:
    """What reports members to their registry, if there is one."""
    if around.registry is None or relay is None:
        return None
    accusing = Accusing(around.registry)
    relay.accuse = accusing.put
    return accusing


def _filter_service(around: Surroundings) -> FilterServing | None:
    """The filter service of this node, if it has one."""
    if not around.config.pushes:
        return None
    limit = PeerLimits(around.config.rate_limits.of(Service.FILTER))
    return FilterServing(around.requests, limit, monotonic_ms)


def _light_push_service(
    around: Surroundings, relay: RelayOperations | None
) -> LightPushAnswers | None:
    """The light push service of this node, if it has one."""
    if relay is None or not around.config.publishes:
        return None
    preset = around.preset
    limits = ServiceLimits(around.config.rate_limits.of(Service.LIGHT_PUSH))
    return LightPushAnswers(
        relay, limits, monotonic_ms, cluster=preset.cluster, shards=preset.shards
    )


def by_relay(relay: RelayOperations) -> Pushing:
    """Returns how a message is sent by relay."""

    async def push(pubsub_topic: str, raw: bytes) -> tuple[int, str] | None:
        await relay.publish(pubsub_topic, decode(raw))
        return None

    return push
