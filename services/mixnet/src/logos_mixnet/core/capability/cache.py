"""The advertisements that a registrar has admitted.

Spec: docs/protocol/discovery.md, DIS-14.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.capability.choice import in_random_order
from logos_mixnet.core.capability.crowding import Crowd
from logos_mixnet.core.capability.distance import ServiceId, service_id_of
from logos_mixnet.core.capability.ip_tree import IpTree
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.multiaddr import IpAddress
from logos_mixnet.core.capability.records import SignedRecord


@dataclass(frozen=True, slots=True)
class CachedAdvertisement:
    """An admitted advertisement of one service."""

    service_id: ServiceId
    signed: SignedRecord
    ip: IpAddress | None
    """Where it was registered from."""
    expires_ms: int

    @property
    def key(self) -> tuple[ServiceId, PeerId]:
        """There is one of each peer for each service."""
        return self.service_id, self.signed.record.peer_id


class AdvertisementCache:
    """Holds what it is given; its bound is the caller's."""

    def __init__(self) -> None:
        self.ip_tree = IpTree()
        self._all: dict[tuple[ServiceId, PeerId], CachedAdvertisement] = {}  # by expiry
        self._services: dict[ServiceId, dict[PeerId, CachedAdvertisement]] = {}
        self._ips: Counter[IpAddress] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    def services(self) -> list[ServiceId]:
        """Returns the services that there are advertisements of."""
        return list(self._services)

    def name_of(self, service_id: ServiceId) -> str:
        """Returns the protocol id of a service that there are advertisements of."""
        entry = next(iter(self._services[service_id].values()))
        offered = entry.signed.record.services
        return next(each.id for each in offered if service_id_of(each.id) == service_id)

    def count_of(self, service_id: ServiceId) -> int:
        """Returns how many advertisements of a service there are."""
        return len(self._services.get(service_id, {}))

    def count_from(self, ip: IpAddress) -> int:
        """Returns how many came from an address."""
        return self._ips[ip]

    def holds(self, key: Hashable) -> bool:
        """Says whether there is an advertisement of a service, or from an address."""
        return key in self._services or key in self._ips

    def get(self, service_id: ServiceId, peer_id: PeerId) -> CachedAdvertisement | None:
        """Returns the advertisement of a peer."""
        return self._all.get((service_id, peer_id))

    def some_of(self, service_id: ServiceId, count: int, rng: Rng) -> list[CachedAdvertisement]:
        """Returns up to `count`, at least 1, of a service at random, one of each public network."""
        entries = self._services.get(service_id, {}).values()
        crowd = Crowd(of_ip=1, of_network=1)
        chosen: list[CachedAdvertisement] = []
        for entry in in_random_order(entries, rng):
            ips = [] if entry.ip is None else [entry.ip]
            if crowd.has_room(ips):
                crowd.add(ips)
                chosen.append(entry)
            if len(chosen) >= count:
                break
        return chosen

    def put(self, entry: CachedAdvertisement) -> None:
        """Adds one that expires no earlier than all others, in place of its peer's former one."""
        self.remove(entry.key)
        self._all[entry.key] = entry
        self._services.setdefault(entry.service_id, {})[entry.signed.record.peer_id] = entry
        if entry.ip is not None:
            self.ip_tree.add(entry.ip)
            self._ips[entry.ip] += 1

    def remove(self, key: tuple[ServiceId, PeerId]) -> None:
        """Drops an advertisement. Idempotent."""
        entry = self._all.pop(key, None)
        if entry is None:
            return
        service_id, peer_id = key
        del self._services[service_id][peer_id]
        if not self._services[service_id]:
            del self._services[service_id]
        if entry.ip is not None:
            self.ip_tree.remove(entry.ip)
            self._ips[entry.ip] -= 1
            if not self._ips[entry.ip]:
                del self._ips[entry.ip]

    def expire(self, now_ms: int) -> list[CachedAdvertisement]:
        """Drops and returns those whose time is over."""
        gone = []
        for entry in self._all.values():
            if entry.expires_ms > now_ms:
                break
            gone.append(entry)
        for entry in gone:
            self.remove(entry.key)
        return gone

    def next_expiry_ms(self) -> int | None:
        """Returns when the next one expires."""
        return next((entry.expires_ms for entry in self._all.values()), None)
