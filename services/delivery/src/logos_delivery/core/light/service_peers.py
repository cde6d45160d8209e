"""The service peers of a light client: what each of them has taken, and what it is asked next.

Spec: docs/protocol/delivery-light.md, DLC-11, DLC-12.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from logos_delivery.core.light.coverage import Span
from logos_delivery.core.light.filter_wire import MAX_TOPICS, FilterKind

MAX_SERVICE_PEERS: Final = 100
"""Known at a time."""
SUBSCRIBE_TIMEOUT_MS: Final = 15_000
PING_TIMEOUT_MS: Final = 5_000
PING_AFTER_SILENCE_MS: Final = 5_000
PING_EVERY_MS: Final = 30_000
"""Also where pushes come: they do not keep a subscription."""
PUSH_MARGIN_MS: Final = 25_000
"""A peer that has a subscription now may still give up a push of the last 20 seconds."""
MAX_BACKOFF_MS: Final = 30_000
LIMIT_PAUSE_MS: Final = 10_000
_FIRST_BACKOFF_MS: Final = 1_000


class Mark(NamedTuple):
    """A topic without messages, which a peer has as long as it has forgotten nothing."""

    pubsub_topic: str
    content_topic: str


@dataclass(frozen=True, slots=True)
class Request:
    """What a peer is asked next."""

    kind: FilterKind
    pubsub_topic: str | None = None
    content_topics: tuple[str, ...] = ()
    mark: Mark | None = None
    """The last of its topics: new where it subscribes, and asked for where it unsubscribes."""

    @property
    def timeout_ms(self) -> int:
        return PING_TIMEOUT_MS if self.kind is FilterKind.PING else SUBSCRIBE_TIMEOUT_MS


@dataclass(slots=True)
class Call:
    """A request under way."""

    number: int
    request: Request
    sent_ms: int

    @property
    def deadline_ms(self) -> int:
        return self.sent_ms + self.request.timeout_ms


@dataclass(slots=True)
class Link:
    """A shard that a peer serves."""

    confirmed: dict[str, int] = field(default_factory=dict)
    """The content topics that it took, and since when."""
    is_live: bool = False
    """Whether it took all at some time."""


@dataclass(slots=True)
class ServicePeer:
    """A peer that may serve, or does."""

    shards: frozenset[str] | None
    """Pubsub topics that it says it has; None: not known."""
    links: dict[str, Link] = field(default_factory=dict)
    call: Call | None = None
    heard_ms: int = 0
    answered_ms: int = 0
    proven_ms: int = 0
    failures: int = 0
    paused_until_ms: int | None = None
    mark: Mark | None = None
    """What came with the last subscription."""
    doubt: Mark | None = None
    """What came with the one before, until it is known that it is still there."""
    is_stale: bool = False
    """Whether it may have subscriptions that this client knows nothing of."""

    @property
    def has_confirmed(self) -> bool:
        return any(link.confirmed for link in self.links.values())

    def can_serve(self, shard: str) -> bool:
        """Whether it may be given a shard now."""
        is_known = self.shards is None or shard in self.shards
        return is_known and shard not in self.links and self.paused_until_ms is None

    def span(self, shard: str, topic: str) -> Span | None:
        """Returns what it covers of a topic."""
        link = self.links.get(shard)
        since_ms = link.confirmed.get(topic) if link else None
        if since_ms is None:
            return None
        return Span(since_ms, max(since_ms, self.proven_ms))

    def fail(self, now_ms: int) -> None:
        """It is not used for a time that doubles each time."""
        self.links.clear()
        self.forget()
        self.is_stale = True
        self.call = None
        delay_ms = _FIRST_BACKOFF_MS << min(self.failures, 10)
        self.failures += 1
        self.paused_until_ms = now_ms + min(MAX_BACKOFF_MS, delay_ms)

    def forget(self) -> None:
        """It has no subscription; its shards stay."""
        self.links = {shard: Link() for shard in self.links}
        self.mark = self.doubt = None

    def subscribed(self, mark: Mark | None) -> None:
        """It has taken a subscription, which hides whether it still has the earlier ones."""
        self.mark, self.doubt = mark, self.mark

    def next_request(
        self, wanted: Mapping[str, Mapping[str, int]], new_mark: str, now_ms: int
    ) -> Request | None:
        """Returns what to ask it now, if anything; forgets shards that are done with."""
        if self.call is not None or self.paused_until_ms is not None:
            return None
        if self.doubt is not None:
            shard, topic = self.doubt
            return Request(FilterKind.UNSUBSCRIBE, shard, (topic,), self.doubt)
        change = self._next_change(wanted, new_mark)
        if (self.is_stale and self.links) or (self.mark is not None and not self.links):
            return Request(FilterKind.UNSUBSCRIBE_ALL)
        if change is not None:
            return change
        ping_at_ms = self._ping_at_ms()
        is_due = ping_at_ms is not None and now_ms >= ping_at_ms
        return Request(FilterKind.PING) if is_due else None

    def due_ms(self) -> int | None:
        """Returns when something is due if nothing else happens."""
        if self.call is not None:
            return self.call.deadline_ms
        if self.paused_until_ms is not None:
            return self.paused_until_ms
        return self._ping_at_ms()

    def _ping_at_ms(self) -> int | None:
        if not self.has_confirmed:
            return None
        return min(self.heard_ms + PING_AFTER_SILENCE_MS, self.answered_ms + PING_EVERY_MS)

    def _next_change(
        self, wanted: Mapping[str, Mapping[str, int]], new_mark: str
    ) -> Request | None:
        for shard, link in tuple(self.links.items()):
            topics = wanted.get(shard, {})
            missing = _some(each for each in topics if each not in link.confirmed)
            if missing:
                mark = Mark(shard, new_mark)
                return Request(FilterKind.SUBSCRIBE, shard, (*missing, new_mark), mark)
            extra = _some(each for each in link.confirmed if each not in topics)
            if extra:
                return Request(FilterKind.UNSUBSCRIBE, shard, extra)
            if not topics:
                del self.links[shard]
        return None


def _some(topics: Iterable[str]) -> tuple[str, ...]:
    """Returns as many as fit a request, with its mark."""
    return tuple(islice(topics, MAX_TOPICS - 1))
