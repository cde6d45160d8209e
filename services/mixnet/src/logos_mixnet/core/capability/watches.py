"""Services that are watched: who offers them now, by one look-up after the other.

Spec: docs/protocol/discovery.md, DIS-26 (look-ups), DIS-27 (who is known).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from logos_mixnet.core.backoff import Backoff, Rng
from logos_mixnet.core.capability.crowding import Crowd
from logos_mixnet.core.capability.distance import ServiceId
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.multiaddr import ips_of
from logos_mixnet.core.capability.profiles import Profile
from logos_mixnet.core.capability.records import SignedRecord
from logos_mixnet.core.errors import TooManyWatchesError

MAX_WATCHED: Final = 64
AT_ONCE: Final = 8
"""Look-ups at a time; callers' have the room that is left of the discoverer's 32."""
MAX_KNOWN: Final = 1024
"""Peers of one service."""
MAX_LATEST: Final = 4096
FIRST_MS: Final = 1_000
LOOK_UPS_IN_EXPIRY: Final = 6
"""Look-ups in the time that a registrar keeps an advertisement."""
PER_EXPIRY: Final = 50
"""Peers of which six look-ups, each of 30 at random, find all but one of 200."""
MAX_EXPIRIES: Final = 4
"""How many times as long a peer stays where there are more, at most."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Look a service up, and report with `found` or `not_looked_up`."""

    service_id: ServiceId


@dataclass(frozen=True, slots=True)
class Changed:
    """Tell the watchers of a service who offers it."""

    service_id: ServiceId
    records: tuple[SignedRecord, ...]
    """One of each peer, in the order of the peer ids."""


Effect = LookUp | Changed


@dataclass(slots=True)
class _Known:
    signed: SignedRecord
    seen_ms: int


@dataclass(slots=True)
class _Watched:
    watchers: int = 0
    look_ups: int = 0
    """Since it is watched, or since this node was last alone."""
    due_ms: int | None = 0
    """When the next look-up is due; None while one runs."""
    known: dict[PeerId, _Known] = field(default_factory=dict)
    latest: dict[PeerId, int] = field(default_factory=dict)
    """The greatest number of each peer's records, of the last 4096 peers, known or not."""
    crowd: Crowd = field(default_factory=lambda: Crowd(of_ip=2, of_network=3))


class Watches:
    """What one node watches. Not thread-safe."""

    def __init__(self, profile: Profile, rng: Rng) -> None:
        self._rng = rng
        self._expiry_ms = profile.expiry_s * 1000
        self._pace = Backoff(FIRST_MS, max(self._expiry_ms // LOOK_UPS_IN_EXPIRY, FIRST_MS))
        self._watched: dict[ServiceId, _Watched] = {}
        self._running: set[ServiceId] = set()

    def records_of(self, service_id: ServiceId) -> tuple[SignedRecord, ...]:
        """Returns who offers a service, as far as it is known; none if it is not watched."""
        watched = self._watched.get(service_id)
        known = {} if watched is None else watched.known
        return tuple(known[peer_id].signed for peer_id in sorted(known))

    def check_room(self, service_id: ServiceId) -> None:
        """Raises `TooManyWatchesError` if a service cannot be watched beside the others."""
        if service_id not in self._watched and len(self._watched) >= MAX_WATCHED:
            raise TooManyWatchesError(f"{MAX_WATCHED} services are watched")

    def watch(self, service_id: ServiceId, now_ms: int) -> Sequence[Effect]:
        """Begins to watch a service, or takes one more watcher of it."""
        watched = self._watched.setdefault(service_id, _Watched(due_ms=now_ms))
        watched.watchers += 1
        return self.tick(now_ms)

    def unwatch(self, service_id: ServiceId, now_ms: int) -> Sequence[Effect]:
        """Takes the end of a watcher; with the last one goes what is known."""
        watched = self._watched[service_id]
        watched.watchers -= 1
        if not watched.watchers:
            del self._watched[service_id]
        return []

    def connected(self, now_ms: int) -> Sequence[Effect]:
        """Takes note that this node was alone, and is no longer: it looks again soon."""
        for watched in self._watched.values():
            watched.look_ups = 0
            if watched.due_ms is not None:
                watched.due_ms = min(watched.due_ms, now_ms + FIRST_MS)
        return self.tick(now_ms)

    def found(
        self, service_id: ServiceId, records: Sequence[SignedRecord], now_ms: int
    ) -> Sequence[Effect]:
        """Takes the end of a look-up."""
        watched = self._ended(service_id, now_ms)
        if watched is None:
            return self.tick(now_ms)
        changes = [self._take(watched, each, now_ms) for each in records]
        changed = self._forget(watched, now_ms) or any(changes)
        return [*self._tell(service_id, changed=changed), *self.tick(now_ms)]

    def not_looked_up(self, service_id: ServiceId, now_ms: int) -> Sequence[Effect]:
        """Takes note that a look-up was refused: too many ran."""
        self._ended(service_id, now_ms)
        return self.tick(now_ms)

    def tick(self, now_ms: int) -> Sequence[Effect]:
        """Begins look-ups that are due, and forgets who was not seen for too long."""
        effects: list[Effect] = []
        for service_id, watched in self._watched.items():
            effects += self._tell(service_id, changed=self._forget(watched, now_ms))
            is_due = watched.due_ms is not None and watched.due_ms <= now_ms
            if is_due and service_id not in self._running and len(self._running) < AT_ONCE:
                watched.due_ms = None
                watched.look_ups += 1
                self._running.add(service_id)
                effects.append(LookUp(service_id))
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when a look-up is due, or a peer is to be forgotten."""
        times = [self._ends_ms(watched, each) for watched, each in self._all_known()]
        if len(self._running) < AT_ONCE:
            times += [
                watched.due_ms
                for service_id, watched in self._watched.items()
                if watched.due_ms is not None and service_id not in self._running
            ]
        return min(times, default=None)

    def _all_known(self) -> list[tuple[_Watched, _Known]]:
        return [(each, known) for each in self._watched.values() for known in each.known.values()]

    def _ended(self, service_id: ServiceId, now_ms: int) -> _Watched | None:
        self._running.discard(service_id)
        watched = self._watched.get(service_id)
        if watched is None or watched.due_ms is not None:
            return None  # its watch has ended, or was begun again
        watched.due_ms = now_ms + self._pace.delay_ms(watched.look_ups, self._rng)
        return watched

    def _take(self, watched: _Watched, signed: SignedRecord, now_ms: int) -> bool:
        """Takes a record; says whether that is news."""
        peer_id, ips = signed.record.peer_id, ips_of(signed.record.addresses)
        former = watched.known.get(peer_id)
        if former is not None and former.signed.encoded == signed.encoded:
            former.seen_ms = now_ms
            return False
        least = watched.latest.get(peer_id, 0) if former is None else former.signed.record.seq + 1
        if signed.record.seq < least:
            return False  # the peer has said something newer since
        self._note(watched, signed)
        if former is not None:
            self._remove(watched, peer_id)
        if len(watched.known) >= MAX_KNOWN or not watched.crowd.has_room(ips):
            return former is not None
        watched.crowd.add(ips)
        watched.known[peer_id] = _Known(signed, now_ms)
        return True

    @staticmethod
    def _note(watched: _Watched, signed: SignedRecord) -> None:
        watched.latest.pop(signed.record.peer_id, None)
        watched.latest[signed.record.peer_id] = signed.record.seq
        if len(watched.latest) > MAX_LATEST:
            del watched.latest[next(iter(watched.latest))]

    def _forget(self, watched: _Watched, now_ms: int) -> bool:
        over = [
            peer_id
            for peer_id, each in watched.known.items()
            if self._ends_ms(watched, each) <= now_ms
        ]
        for peer_id in over:
            self._remove(watched, peer_id)
        return bool(over)

    def _ends_ms(self, watched: _Watched, known: _Known) -> int:
        expiries = min(-(-len(watched.known) // PER_EXPIRY), MAX_EXPIRIES)
        return known.seen_ms + expiries * self._expiry_ms

    @staticmethod
    def _remove(watched: _Watched, peer_id: PeerId) -> None:
        known = watched.known.pop(peer_id)
        watched.crowd.remove(ips_of(known.signed.record.addresses))

    def _tell(self, service_id: ServiceId, *, changed: bool) -> list[Effect]:
        return [Changed(service_id, self.records_of(service_id))] if changed else []
