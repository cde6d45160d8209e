"""The registrars around one service, as an advertiser or a discoverer knows them.

Spec: docs/protocol/discovery.md, DIS-15. Source: LIP-107, "Peer Table Updates".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from logos_mixnet.core.capability.crowding import Crowd
from logos_mixnet.core.capability.distance import BUCKETS, ServiceId, bucket_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.multiaddr import decode_address, ips_of
from logos_mixnet.core.capability.wire import Peer

BUCKET_SIZE: Final = 20
MAX_FAILURES: Final = 3
"""A peer that fails to answer so often in a row leaves the table."""


@dataclass(slots=True)
class _Entry:
    peer: Peer
    bucket: int
    failures: int = 0


class ServiceTable:
    """Up to 16 buckets of 20 peers. A full bucket takes a new peer only for one that failed."""

    def __init__(self, service_id: ServiceId, own: PeerId) -> None:
        self.service_id = service_id
        self._own = own
        self._entries: dict[PeerId, _Entry] = {}
        self._buckets: list[dict[PeerId, _Entry]] = [{} for _ in range(BUCKETS)]
        self._crowd = Crowd(of_ip=4, of_network=10)
        self._bucket_crowds = [Crowd(of_ip=2, of_network=3) for _ in range(BUCKETS)]

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, peer_id: PeerId) -> bool:
        return peer_id in self._entries

    def occupied(self) -> list[int]:
        """Returns the buckets with peers, the farthest first; with few peers, half have none."""
        return [index for index, bucket in enumerate(self._buckets) if bucket]

    def bucket(self, index: int) -> list[Peer]:
        """Returns the peers of a bucket; 0 is the farthest."""
        return [entry.peer for entry in self._buckets[index].values()]

    def add(self, peers: Iterable[Peer]) -> None:
        """Takes those that can be dialled and fit in. A known peer keeps its addresses."""
        for peer in peers:
            if peer.peer_id == self._own or peer.peer_id in self._entries:
                continue
            index = bucket_of(self.service_id, peer.peer_id)
            if not self._takes(index):
                continue  # before its addresses are read: most peers that are named end here
            addresses = tuple(each for each in peer.addresses if decode_address(each) is not None)
            if addresses:
                self._add(index, Peer(peer.peer_id, addresses))

    def answered(self, peer_id: PeerId) -> None:
        """Takes note that a peer answers."""
        if peer_id in self._entries:
            self._entries[peer_id].failures = 0

    def failed(self, peer_id: PeerId) -> None:
        """Takes note that a peer did not answer; the third time in a row it leaves."""
        entry = self._entries.get(peer_id)
        if entry is None:
            return
        entry.failures += 1
        if entry.failures >= MAX_FAILURES:
            self._remove(entry)

    def _takes(self, index: int) -> bool:
        bucket = self._buckets[index]
        return len(bucket) < BUCKET_SIZE or any(each.failures for each in bucket.values())

    def _add(self, index: int, peer: Peer) -> None:
        bucket, crowds = self._buckets[index], (self._crowd, self._bucket_crowds[index])
        ips = ips_of(peer.addresses)
        if not all(crowd.has_room(ips) for crowd in crowds):
            return
        if len(bucket) >= BUCKET_SIZE:
            self._remove(next(each for each in bucket.values() if each.failures))
        bucket[peer.peer_id] = self._entries[peer.peer_id] = _Entry(peer, index)
        for crowd in crowds:
            crowd.add(ips)

    def _remove(self, entry: _Entry) -> None:
        del self._entries[entry.peer.peer_id]
        del self._buckets[entry.bucket][entry.peer.peer_id]
        for crowd in (self._crowd, self._bucket_crowds[entry.bucket]):
            crowd.remove(ips_of(entry.peer.addresses))
