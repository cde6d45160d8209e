"""What a node tells others of itself and of other nodes: its record, and peer exchange."""

from collections.abc import Callable, Sequence

from logos_delivery.config import Config
from logos_delivery.core.enr import record
from logos_delivery.core.enr.fields import Capability
from logos_delivery.core.light.rates import Service, ServiceLimits
from logos_delivery.net.identity import NetworkIdentity
from logos_delivery.net.peers import NetworkPeers
from logos_delivery.node.clocks import monotonic_ms, unix_ms
from logos_delivery.node.surroundings import Surroundings
from logos_delivery.operations.own_record import Notes, OwnRecord
from logos_delivery.operations.peer_exchange import PeerExchangeAnswers, PeerExchangeClient


class Exchanging:
    """The record of a node, and its peer exchange."""

    def __init__(
        self, around: Surroundings, notes: Notes, shards: Callable[[], Sequence[int]]
    ) -> None:
        """`shards` returns those that the node follows now."""
        config = around.config
        cluster = config.preset.cluster
        self.own = OwnRecord(
            NetworkIdentity(around.network),
            notes,
            shards,
            unix_ms,
            cluster=cluster,
            capabilities=capabilities_of(config),
            given=record.parse(config.enr) if config.enr else None,
        )
        self.client = PeerExchangeClient(
            around.requests,
            around.services,
            NetworkPeers(around.network),
            self.own,
            monotonic_ms,
            cluster=cluster,
            peers=config.peer_exchange_peers,
            given=[record.parse(one) for one in config.records],
        )
        self.answers = None
        if config.tells_of_peers:
            limits = ServiceLimits(config.rate_limits.of(Service.PEER_EXCHANGE))
            self.answers = PeerExchangeAnswers(self.client.pool, self.own, limits, monotonic_ms)


def capabilities_of(config: Config) -> Capability:
    """Returns what a node with these settings does for others (DLC-37)."""
    found = Capability(0)
    for does_it, one in (
        (config.relays, Capability.RELAY),
        (config.keeps, Capability.STORE),
        (config.pushes, Capability.FILTER),
        (config.publishes, Capability.LIGHT_PUSH),
        (config.keeps and config.sync, Capability.SYNC),
    ):
        found |= one if does_it else Capability(0)
    return found
