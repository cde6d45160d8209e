"""The peers of this node, for its operator (DHT-17, DHT-18)."""

from collections.abc import Sequence
from dataclasses import dataclass

from logos_base.gossip import Neighbours
from logos_delivery.core.ports import KnownPeer, Peers
from logos_delivery.core.topics import parse_pubsub_topic
from logos_delivery.operations.relay import RelayOperations


@dataclass(frozen=True, slots=True)
class SeenPeer:
    """A peer, and what gossip knows of it."""

    peer: KnownPeer
    shards: tuple[int, ...] = ()
    """Shards that it follows, of those that this node follows."""
    score: float | None = None
    """Of gossip, on the shard that was asked for."""


class NeighbourOperations:
    """The address book, and the neighbours of the relay."""

    def __init__(self, peers: Peers, relay: RelayOperations | None, *, cluster: int) -> None:
        """`relay` is None at an edge node."""
        self._peers = peers
        self._relay = relay
        self._cluster = cluster

    @property
    def relays(self) -> bool:
        """Whether this node relays."""
        return self._relay is not None

    async def known(self) -> list[SeenPeer]:
        """Returns all peers that are known. NetworkUnavailableError."""
        shards = await self._shards()
        return [
            SeenPeer(
                peer,
                tuple(sorted(number for number, one in shards if peer.peer_id in one.followers)),
            )
            for peer in await self._peers.known()
        ]

    async def by_shard(self, *, mesh: bool) -> list[tuple[int, list[SeenPeer]]]:
        """Returns the neighbours on each shard: all, or those of the mesh.

        NetworkUnavailableError.
        """
        known = {seen.peer.peer_id: seen for seen in await self.known()}
        return [
            (number, _seen(one.mesh if mesh else one.followers, known, one))
            for number, one in await self._shards()
        ]

    async def connect(self, address: str) -> str:
        """Dials a node; returns its peer id. ConnectFailedError, NetworkUnavailableError."""
        return await self._peers.connect(address)

    async def _shards(self) -> list[tuple[int, Neighbours]]:
        """The followed shards of this node's cluster."""
        if self._relay is None:
            return []
        parsed = [
            (parse_pubsub_topic(topic), one)
            for topic, one in (await self._relay.neighbours()).items()
        ]
        return [(topic.shard, one) for topic, one in parsed if topic.cluster == self._cluster]


def _seen(
    peer_ids: Sequence[str], known: dict[str, SeenPeer], neighbours: Neighbours
) -> list[SeenPeer]:
    found = [known.get(one, SeenPeer(KnownPeer(one, ()))) for one in peer_ids]
    return [
        SeenPeer(each.peer, each.shards, neighbours.scores.get(each.peer.peer_id, 0.0))
        for each in found
    ]
