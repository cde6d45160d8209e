"""The peers that this node has itself been connected to: where its tables begin.

Spec: docs/protocol/discovery.md, DIS-15.
"""

from collections.abc import Iterator
from typing import Final

from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.capability.choice import some_of
from logos_mixnet.core.capability.distance import ServiceId, bucket_of_key, key_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.wire import Peer

MAX_CONTACTS: Final = 1024


class Contacts:
    """The last 1024 such peers. Shared by the registrar, the advertiser and the discoverer."""

    def __init__(self) -> None:
        self._peers: dict[PeerId, tuple[int, Peer]] = {}

    def __iter__(self) -> Iterator[Peer]:
        return (peer for _, peer in self._peers.values())

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, peer_id: PeerId) -> bool:
        return peer_id in self._peers

    def met(self, peer: Peer) -> None:
        """Takes a peer that is connected, with the addresses that it says it has."""
        self._peers.pop(peer.peer_id, None)
        self._peers[peer.peer_id] = key_of(peer.peer_id), peer
        if len(self._peers) > MAX_CONTACTS:
            del self._peers[next(iter(self._peers))]

    def lost(self, peer_id: PeerId) -> None:
        """Forgets a peer that cannot be reached. Idempotent."""
        self._peers.pop(peer_id, None)

    def one_of_each_bucket(
        self, service_id: ServiceId, asking: PeerId, rng: Rng
    ) -> tuple[Peer, ...]:
        """Returns a random peer of every bucket around a service, but never who asks."""
        centre = int.from_bytes(service_id, "big")
        buckets: dict[int, list[Peer]] = {}
        for key, peer in self._peers.values():
            if peer.peer_id != asking and peer.addresses:
                buckets.setdefault(bucket_of_key(centre, key), []).append(peer)
        return tuple(some_of(buckets[at], 1, rng)[0] for at in sorted(buckets))
