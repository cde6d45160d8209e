"""Who subscribed to what at a filter service: a table that finds subscribers by topic.

Spec: docs/protocol/delivery-light.md, DLC-5, DLC-6.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

MAX_PEERS: Final = 1_000
MAX_CRITERIA: Final = 1_000
"""Of one peer."""
MAX_PEER_BYTES: Final = 512 * 1024
MAX_BYTES: Final = 64 * 1024 * 1024
"""What the criteria of all peers may take, estimated."""
KEEP_MS: Final = 5 * 60_000
"""After a peer's last request."""

_OVERHEAD_BYTES: Final = 256


class Criterion(NamedTuple):
    """What a peer wants pushed."""

    pubsub_topic: str
    content_topic: str

    @property
    def cost_bytes(self) -> int:
        """What one peer's criterion takes in memory, about."""
        return len(self.pubsub_topic) + len(self.content_topic) + _OVERHEAD_BYTES


@dataclass(slots=True)
class _Subscriber:
    asked_ms: int
    criteria: set[Criterion] = field(default_factory=set)
    cost_bytes: int = 0


class Subscriptions:
    """Subscribers by criterion. A subscriber has one criterion or more."""

    def __init__(
        self,
        max_peers: int = MAX_PEERS,
        max_criteria: int = MAX_CRITERIA,
        keep_ms: int = KEEP_MS,
    ) -> None:
        self._max_peers = max_peers
        self._max_criteria = max_criteria
        self._keep_ms = keep_ms
        self._peers: dict[str, _Subscriber] = {}
        self._by_criterion: dict[Criterion, dict[str, None]] = {}
        self._cost_bytes = 0

    def __len__(self) -> int:
        return len(self._peers)

    def __contains__(self, peer: str) -> bool:
        return peer in self._peers

    @property
    def criteria(self) -> int:
        """Returns how many different criteria there are."""
        return len(self._by_criterion)

    def has(self, peer: str, criterion: Criterion) -> bool:
        """Says whether a peer subscribed to a topic."""
        return peer in self._by_criterion.get(criterion, {})

    def criteria_of(self, peer: str) -> frozenset[Criterion]:
        """Returns what a peer subscribed to."""
        found = self._peers.get(peer)
        return frozenset(found.criteria) if found else frozenset()

    @property
    def peers(self) -> tuple[str, ...]:
        """Returns all subscribers."""
        return tuple(self._peers)

    def touch(self, peer: str, now_ms: int) -> bool:
        """Notes a request of a peer; returns whether it is a subscriber."""
        found = self._peers.get(peer)
        if found is None:
            return False
        found.asked_ms = now_ms
        return True

    def add(self, peer: str, criteria: Iterable[Criterion], now_ms: int) -> str | None:
        """Adds criteria of a peer, all or none; returns why it cannot, or None."""
        found = self._peers.get(peer) or _Subscriber(now_ms)
        new = set(criteria) - found.criteria
        cost = sum(each.cost_bytes for each in new)
        if (
            len(found.criteria) + len(new) > self._max_criteria
            or found.cost_bytes + cost > MAX_PEER_BYTES
        ):
            return "peer has reached maximum number of filter criteria"
        is_full = peer not in self._peers and len(self._peers) >= self._max_peers
        if is_full or self._cost_bytes + cost > MAX_BYTES:
            return f"node has reached maximum number of subscriptions: {self._max_peers}"
        found.asked_ms = now_ms
        if not new and not found.criteria:
            return None
        self._peers[peer] = found
        found.criteria |= new
        found.cost_bytes += cost
        self._cost_bytes += cost
        for each in new:
            self._by_criterion.setdefault(each, {})[peer] = None
        return None

    def remove(self, peer: str, criteria: Iterable[Criterion], now_ms: int) -> bool:
        """Removes criteria of a peer; returns whether it had all of them."""
        found = self._peers.get(peer)
        if found is None:
            return False
        found.asked_ms = now_ms
        wanted = set(criteria)
        had_all = wanted <= found.criteria
        for each in wanted & found.criteria:
            self._unlink(peer, found, each)
        if not found.criteria:
            del self._peers[peer]
        return had_all

    def drop(self, peer: str) -> bool:
        """Removes a peer with all of its criteria; returns whether it was there."""
        found = self._peers.pop(peer, None)
        if found is None:
            return False
        for each in tuple(found.criteria):
            self._unlink(peer, found, each)
        return True

    def expired(self, now_ms: int) -> list[str]:
        """Returns the peers whose last request is longer ago than five minutes."""
        return [
            peer for peer, found in self._peers.items() if now_ms - found.asked_ms > self._keep_ms
        ]

    def is_fresh(self, peer: str, now_ms: int) -> bool:
        """Says whether a subscriber's last request is at most five minutes ago."""
        found = self._peers.get(peer)
        return found is not None and now_ms - found.asked_ms <= self._keep_ms

    def matching(self, criterion: Criterion, now_ms: int) -> list[str]:
        """Returns the subscribers of a topic; takes as long as there are such."""
        found = self._by_criterion.get(criterion, {})
        return [peer for peer in found if self.is_fresh(peer, now_ms)]

    def _unlink(self, peer: str, found: _Subscriber, criterion: Criterion) -> None:
        found.criteria.discard(criterion)
        found.cost_bytes -= criterion.cost_bytes
        self._cost_bytes -= criterion.cost_bytes
        peers = self._by_criterion[criterion]
        del peers[peer]
        if not peers:
            del self._by_criterion[criterion]
