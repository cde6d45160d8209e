"""The registrars around one service, as an advertiser or a discoverer knows them.

Spec: docs/protocol/discovery.md, DIS-15. Source: LIP-107, "Peer Table Updates".
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from logos_mixnet.core.capability.distance import BUCKETS, ServiceId, bucket_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.multiaddr import decode_address, ip_of
from logos_mixnet.core.capability.wire import Peer

BUCKET_SIZE: Final = 20
MAX_FAILURES: Final = 3
"""A peer that fails to answer so often in a row leaves the table."""

_NETWORK_BITS: Final = {4: 24, 6: 48}
_MAX_OF_IP: Final = (2, 4)
"""Peers with the same public IP: in a bucket, and in the table."""
_MAX_OF_NETWORK: Final = (3, 10)
"""Peers with public IPs of the same /24, or /48 for IPv6."""
_TABLE: Final = -1


@dataclass(slots=True)
class _Entry:
    peer: Peer
    bucket: int
    places: frozenset[str]
    """Its public IPs and their networks."""
    failures: int = 0

    def counted(self) -> Iterable[tuple[int, str]]:
        """What it counts for: its places in its bucket, and in the table."""
        for place in self.places:
            yield self.bucket, place
            yield _TABLE, place


class ServiceTable:
    """Up to 16 buckets of 20 peers. A full bucket takes a new peer only for one that failed."""

    def __init__(self, service_id: ServiceId, own: PeerId) -> None:
        self.service_id = service_id
        self._own = own
        self._entries: dict[PeerId, _Entry] = {}
        self._buckets: list[dict[PeerId, _Entry]] = [{} for _ in range(BUCKETS)]
        self._places: Counter[tuple[int, str]] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, peer_id: PeerId) -> bool:
        return peer_id in self._entries

    def bucket(self, index: int) -> list[Peer]:
        """Returns the peers of a bucket; 0 is the farthest."""
        return [entry.peer for entry in self._buckets[index].values()]

    def add(self, peers: Iterable[Peer]) -> None:
        """Takes those that can be dialled and fit in. A known peer keeps its addresses."""
        for peer in peers:
            if peer.peer_id == self._own or peer.peer_id in self._entries:
                continue
            addresses = tuple(each for each in peer.addresses if decode_address(each) is not None)
            if addresses:
                self._add(Peer(peer.peer_id, addresses))

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

    def _add(self, peer: Peer) -> None:
        index = bucket_of(self.service_id, peer.peer_id)
        bucket = self._buckets[index]
        entry = _Entry(peer, index, frozenset(_places(peer)))
        if self._is_crowded(entry):
            return
        if len(bucket) >= BUCKET_SIZE:
            failing = [each for each in bucket.values() if each.failures]
            if not failing:
                return
            self._remove(failing[0])
        bucket[peer.peer_id] = self._entries[peer.peer_id] = entry
        self._places.update(entry.counted())

    def _remove(self, entry: _Entry) -> None:
        self._places.subtract(entry.counted())
        self._places = +self._places
        del self._entries[entry.peer.peer_id]
        del self._buckets[entry.bucket][entry.peer.peer_id]

    def _is_crowded(self, new: _Entry) -> bool:
        for place in new.places:
            in_bucket, in_table = _MAX_OF_NETWORK if "/" in place else _MAX_OF_IP
            if self._places[_TABLE, place] >= in_table:
                return True
            if self._places[new.bucket, place] >= in_bucket:
                return True
        return False


def _places(peer: Peer) -> Iterable[str]:
    for address in peer.addresses:
        ip = ip_of(address)
        if ip is not None and ip.is_global:
            yield str(ip)
            yield str(ip_network((ip, _NETWORK_BITS[ip.version]), strict=False))
