"""Provider records: when this node's keys are announced, and what a search finds.

The keys are in a store, since there may be a million; the machine holds one batch of them.

Spec: docs/protocol/network.md, NET-11 (look-ups), NET-12 (lifetime, republishing). What one
key's next time is: core/advertisements.py.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.addresses import transport_of
from logos_mixnet.core.advertisements import MAX_KEYS, Advertisement, Due, MakeDue
from logos_mixnet.core.backoff import Rng

BATCH: Final = 64
CONCURRENT_PROVIDES: Final = 16
IDLE_MS: Final = 60_000
STORE_RETRY_MS: Final = 5_000
MAX_PROVIDER_ADDRESSES: Final = 16
MAX_FOUND: Final = 1024
"""Providers of one search that may wait for its reader; more are left out."""


@dataclass(frozen=True, slots=True)
class Extend:
    """Store keys until a time, at most so many in all."""

    ticket: Ticket
    keys: Sequence[bytes]
    expires_ms: int
    limit: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove keys from the store."""

    ticket: Ticket
    keys: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Take:
    """Take what is due from the store, and report it with `taken`."""

    now_ms: int
    limit: int
    make_due: MakeDue | None


@dataclass(frozen=True, slots=True)
class Reschedule:
    """Store when keys are announced next."""

    advertisements: Sequence[Advertisement]


@dataclass(frozen=True, slots=True)
class Provide:
    """Announce a key to the network; report with `provided`."""

    key: bytes


@dataclass(frozen=True, slots=True)
class StopProviding:
    """Announce keys no longer."""

    keys: Sequence[bytes]


Change = Extend | Remove | Reschedule
"""Reported with `stored` or `not_stored`."""
StoreEffect = Change | Take
"""Waited for before the next input."""
Effect = StoreEffect | Provide | StopProviding
Effects = list[Effect | Answer | Refuse]


class Discovery:
    """The announcements of one node. Not thread-safe."""

    def __init__(self, rng: Rng, *, max_keys: int = MAX_KEYS) -> None:
        self._rng = rng
        self._max_keys = max_keys
        self._peers = 0
        self._make_due: MakeDue | None = "all"
        self._waiting: deque[Advertisement] = deque()
        self._providing: dict[bytes, Advertisement | None] = {}  # None: withdrawn meanwhile
        self._provided: list[Advertisement] = []
        self._wake_ms: int | None = 0
        self._retry_ms = 0

    def advertise(self, ticket: Ticket, keys: Sequence[bytes], ttl_ms: int, now_ms: int) -> Effects:
        """Announces keys until their time is over."""
        return [Extend(ticket, keys, now_ms + ttl_ms, self._max_keys)]

    def withdraw(self, ticket: Ticket, keys: Sequence[bytes], now_ms: int) -> Effects:
        """Announces keys no longer."""
        return [Remove(ticket, keys)]

    def stored(self, done: Change, now_ms: int) -> Effects:
        """Takes note that a change is stored."""
        match done:
            case Extend(ticket):
                self._wake_ms = now_ms
                return [Answer(ticket)]
            case Remove(ticket, keys):  # not even those of this batch are announced
                gone = set(keys)
                self._waiting = deque(each for each in self._waiting if each.key not in gone)
                self._provided = [each for each in self._provided if each.key not in gone]
                self._providing.update(dict.fromkeys(gone & self._providing.keys()))
                return [StopProviding(keys), Answer(ticket)]
            case Reschedule():
                return []

    def not_stored(self, failed: StoreEffect, error: Exception, now_ms: int) -> Effects:
        """Takes note that the store does not work, e.g. because the disk is full."""
        if isinstance(failed, Extend | Remove):
            return [Refuse(failed.ticket, error)]
        self._wake_ms = self._retry_ms = now_ms + STORE_RETRY_MS
        return []

    def peers_changed(self, count: int, now_ms: int) -> Effects:
        """Takes the number of connected peers; with the first, what failed is tried again."""
        if count and not self._peers:
            self._make_due = self._make_due or "failed"
            self._wake_ms = now_ms
        self._peers = count
        return []

    def taken(self, due: Due, now_ms: int) -> Effects:
        """Takes keys whose time was over, and those to announce."""
        self._make_due = None
        idle_ms = now_ms + IDLE_MS
        if due.expired:
            self._wake_ms = now_ms  # there may be more
        elif due.next_ms is None:
            self._wake_ms = None
        else:
            self._wake_ms = min(due.next_ms, idle_ms) if self._peers else idle_ms
        self._waiting.extend(due.advertisements)
        return [StopProviding(due.expired), *self._provide_next()]

    def provided(self, key: bytes, error: str | None, now_ms: int) -> Effects:
        """Takes how an announcement ended; None means well."""
        announced = self._providing.pop(key)
        if announced is not None:
            self._provided.append(
                announced.provided(now_ms, peers=self._peers, rng=self._rng)
                if error is None
                else announced.not_provided(now_ms, rng=self._rng)
            )
        effects = self._provide_next()
        if not self._providing:
            effects.append(Reschedule(self._provided))
            self._provided = []
            self._wake_ms = now_ms
        return effects

    def tick(self, now_ms: int) -> Effects:
        """Begins with the next batch, if it is time for one."""
        wake_ms = self.next_wake_ms()
        if wake_ms is None or wake_ms > now_ms:
            return []
        limit = BATCH if self._peers else 0  # without peers there is no one to announce them to
        return [Take(now_ms, limit, self._make_due)]

    def next_wake_ms(self) -> int | None:
        """Returns when the next batch is due; None while one is announced, or without keys."""
        if self._providing or self._wake_ms is None:
            return None
        return max(self._wake_ms, self._retry_ms)

    def _provide_next(self) -> Effects:
        effects: Effects = []
        while self._waiting and len(self._providing) < CONCURRENT_PROVIDES:
            advertisement = self._waiting.popleft()
            self._providing[advertisement.key] = advertisement
            effects.append(Provide(advertisement.key))
        return effects


@dataclass(frozen=True, slots=True)
class Provider:
    """A peer that says it has something."""

    peer_id: str
    addresses: list[str]


class LookUp:
    """The providers that one search has found, each once and never this node."""

    def __init__(self, own_peer_id: str) -> None:
        self._own_peer_id = own_peer_id
        self._waiting: deque[Provider] = deque()
        self._seen: set[str] = set()

    def found(self, claimed: Iterable[Provider]) -> list[Provider]:
        """Takes what peers claim; returns the same with addresses that can be dialled."""
        providers = []
        for provider in claimed:
            if provider.peer_id == self._own_peer_id:
                continue
            transports = map(transport_of, provider.addresses[:MAX_PROVIDER_ADDRESSES])
            usable = Provider(provider.peer_id, [each for each in transports if each is not None])
            providers.append(usable)
            if usable.peer_id not in self._seen and len(self._waiting) < MAX_FOUND:
                self._seen.add(usable.peer_id)
                self._waiting.append(usable)
        return providers

    def take(self) -> Provider | None:
        """Returns the next provider; None if there is none."""
        return self._waiting.popleft() if self._waiting else None
