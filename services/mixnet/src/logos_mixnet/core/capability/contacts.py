"""The peers that this node has itself been connected to: where its tables begin.

Spec: docs/protocol/discovery.md, DIS-15.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final

from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.capability.distance import ServiceId, bucket_ranges, key_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.wire import Peer

MAX_CONTACTS: Final = 1024


class Contacts:
    """The last 1024 such peers. Shared by the registrar, the advertiser and the discoverer."""

    def __init__(self) -> None:
        self._peers: dict[PeerId, tuple[int, Peer]] = {}
        self._keys: list[int] = []
        """Of those with an address, in order: each bucket around a service is a range of them."""
        self._by_key: dict[int, Peer] = {}

    def __iter__(self) -> Iterator[Peer]:
        return (peer for _, peer in self._peers.values())

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, peer_id: PeerId) -> bool:
        return peer_id in self._peers

    def met(self, peer: Peer) -> None:
        """Takes a peer that is connected, with the addresses that it says it has."""
        self.lost(peer.peer_id)
        key = key_of(peer.peer_id)
        self._peers[peer.peer_id] = key, peer
        if peer.addresses:
            insort(self._keys, key)
            self._by_key[key] = peer
        if len(self._peers) > MAX_CONTACTS:
            self.lost(next(iter(self._peers)))

    def lost(self, peer_id: PeerId) -> None:
        """Forgets a peer that cannot be reached. Idempotent."""
        key, _ = self._peers.pop(peer_id, (None, None))
        if key in self._by_key:
            del self._by_key[key], self._keys[bisect_left(self._keys, key)]

    def one_of_each_bucket(
        self, service_id: ServiceId, asking: PeerId, rng: Rng
    ) -> tuple[Peer, ...]:
        """Returns a random peer of every bucket around a service, but never who asks."""
        keys, key = self._keys, key_of(asking)
        skipped = bisect_left(keys, key) if key in self._by_key else len(keys)
        chosen = []
        for begin, end in bucket_ranges(keys, service_id):
            count = end - begin - (begin <= skipped < end)
            if count:
                at = begin + int(rng.random() * count)
                at += begin <= skipped <= at
                chosen.append(self._by_key[keys[at]])
        return tuple(chosen)
