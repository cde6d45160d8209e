"""One backfill: what store nodes have of the time in which this node was offline (DSN-13).

For each shard the hashes of its subscribed content topics are asked for, page by page, and then
the messages that are missing: of one store node after the other, since each has gaps of its own.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

OVERLAP_MS: Final = 5_000
PAGE: Final = 100
MAX_TOPICS: Final = 10
"""Of one query: as many as a store allows."""
MAX_PAGES: Final = 1_000
"""Of one store node: it cannot keep a node busy for ever."""

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Query:
    """Ask a store node for hashes; report with `found` or `unanswered`."""

    query: int
    """Names this question."""
    store: int
    """Which store node, from 0 on; where there are not so many, it has nothing."""
    pubsub_topic: str
    content_topics: tuple[str, ...]
    """1 to 10."""
    start_ns: int
    end_ns: int
    """Timestamps, both included."""
    cursor: bytes
    """Where to go on; empty: at the start."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask a store node for messages; report with `fetched` or `unanswered`."""

    query: int
    store: int
    """That of the hashes."""
    hashes: tuple[bytes, ...]
    """1 to 100."""


class Backfill:
    """A backfill that is under way. Each call returns the next question; None: it is done."""

    def __init__(
        self,
        start_ms: int,
        now_ms: int,
        topics: Mapping[str, str],
        next_query: Callable[[], int],
        *,
        stores: int,
    ) -> None:
        """Prepares the questions.

        Args:
            start_ms: Since when messages may be missing.
            now_ms: Unix time.
            topics: Content topics, and their shards.
            next_query: Numbers the questions.
            stores: So many store nodes are asked.
        """
        self.start_ms = start_ms
        self._start_ns = (start_ms - OVERLAP_MS) * _NS_PER_MS
        self._end_ns = (now_ms + OVERLAP_MS) * _NS_PER_MS
        of_each = list(_parts_of(topics))
        self._parts = deque((store, *part) for store in range(stores) for part in of_each)
        self._next_query = next_query
        self._query = 0
        self._cursor = b""
        self._pages = 0
        self._hashes: tuple[bytes, ...] = ()

    def asks(self, query: int) -> bool:
        """Says whether an answer belongs to the question that is open."""
        return query == self._query

    def has_asked_for(self, message_hash: bytes) -> bool:
        """Says whether a message is one of those that were asked for."""
        return message_hash in self._hashes

    def ask(self) -> Query | None:
        """Asks for the next page of hashes."""
        if self._pages >= MAX_PAGES:
            self._leave_store()
        if not self._parts:
            return None
        self._pages += 1
        self._query = self._next_query()
        return Query(self._query, *self._parts[0], self._start_ns, self._end_ns, self._cursor)

    def found(self, missing: Iterable[bytes], cursor: bytes) -> Query | Fetch | None:
        """Takes what of a page is missing, and where the next begins; empty: it was the last."""
        store = self._parts[0][0]
        self._cursor = cursor
        if not cursor:
            self._parts.popleft()
            if self._parts and self._parts[0][0] != store:
                self._pages = 0
        self._hashes = tuple(dict.fromkeys(missing))[:PAGE]
        if not self._hashes:
            return self.ask()
        self._query = self._next_query()
        return Fetch(self._query, store, self._hashes)

    def fetched(self) -> Query | None:
        """Goes on: the messages are here."""
        self._hashes = ()
        return self.ask()

    def _leave_store(self) -> None:
        store, self._pages, self._cursor = self._parts[0][0], 0, b""
        while self._parts and self._parts[0][0] == store:
            self._parts.popleft()


def _parts_of(topics: Mapping[str, str]) -> Iterable[tuple[str, tuple[str, ...]]]:
    shards: dict[str, list[str]] = {}
    for content_topic, pubsub_topic in sorted(topics.items()):
        shards.setdefault(pubsub_topic, []).append(content_topic)
    for pubsub_topic, of_shard in sorted(shards.items()):
        for at in range(0, len(of_shard), MAX_TOPICS):
            yield pubsub_topic, tuple(of_shard[at : at + MAX_TOPICS])
