"""Receives the messages of subscribed content topics: a machine (`logos_base.machine`).

A message comes by relay, by filter, or from a store, and goes to the durable log of events, from
which applications read it. It is there once: what the log has is remembered, also over a restart.
It is there at least once: until when nothing is missing is noted durably, never ahead of the log,
and what came later is asked of a store when the node is online again.

Spec: docs/protocol/delivery-sending.md, DSN-11 to DSN-14.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from logos_base.machine import Answer, Refuse
from logos_delivery.core.message import Message, message_hash
from logos_delivery.core.receiving.backfill import PAGE, Backfill, Fetch, Query
from logos_delivery.core.receiving.seen import Seen

PRUNE_MS: Final = 60_000
NOTE_MS: Final = 10_000
FIRST_RETRY_MS: Final = 5_000
MAX_RETRY_MS: Final = 60_000
MAX_GAP_MS: Final = 2 * 24 * 60 * 60 * 1_000
"""So far back a store is asked: as long as it keeps messages by default."""

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Deliver:
    """Append a message to the durable log; report `delivered` or `undelivered` (DSN-12)."""

    message_hash: bytes
    pubsub_topic: str
    message: Message


@dataclass(frozen=True, slots=True)
class Note:
    """Store durably that nothing of before this time is missing; need not be reported."""

    complete_ms: int


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as a store has it. Untrusted."""

    pubsub_topic: str
    message: Message


Effect = Deliver | Note | Query | Fetch | Answer | Refuse


class Receiving:
    """The machine. Times are Unix time."""

    def __init__(self, *, is_backfilled: bool, stores: int = 1) -> None:
        """Makes one without state.

        Args:
            is_backfilled: Whether stores are asked for what was missed: reliability is on.
            stores: So many store nodes are asked, each for all of it.
        """
        self._is_backfilled = is_backfilled
        self._stores = stores
        self._topics: dict[str, str] = {}
        """Subscribed content topics, and their pubsub topics."""
        self._seen = Seen()
        self._delivering: dict[bytes, int] = {}
        """Messages on their way to the log, and from when on a store is to be asked for each."""
        self._is_online = False
        self._gap_ms: int | None = None
        """Since when messages may be missing, beyond what a backfill under way asks for."""
        self._backfill: Backfill | None = None
        self._queries = itertools.count(1)
        self._retry_ms = FIRST_RETRY_MS
        self._retry_at_ms = 0
        self._prune_at_ms: int | None = None
        self._note_at_ms: int | None = None
        self._noted_ms: int | None = None

    def load(self, hashes: Iterable[bytes], complete_ms: int | None, now_ms: int) -> list[Effect]:
        """Takes the state of before the start, once, before other inputs but subscriptions.

        Args:
            hashes: Of the newest messages in the log, 65,536 at most, oldest first.
            complete_ms: What was noted last; None: nothing.
            now_ms: Unix time.
        """
        if complete_ms is not None:
            self._noted_ms = complete_ms
            self._miss(complete_ms, now_ms)
        for each in hashes:
            self._seen.add(each, now_ms if complete_ms is None else min(complete_ms, now_ms))
        self._prune_at_ms = now_ms + PRUNE_MS
        return []

    def subscribed(self, content_topic: str, pubsub_topic: str, _now_ms: int) -> list[Effect]:
        """The application wants this content topic from now on."""
        self._topics[content_topic] = pubsub_topic
        return []

    def unsubscribed(self, content_topic: str, _now_ms: int) -> list[Effect]:
        """It does not any more."""
        self._topics.pop(content_topic, None)
        return []

    def connected(self, is_online: bool, now_ms: int) -> list[Effect]:  # noqa: FBT001 -- an input
        """Whether this node is connected to any other now."""
        if is_online == self._is_online:
            return []
        if is_online:
            self._is_online = True
            self._retry_ms, self._retry_at_ms = FIRST_RETRY_MS, now_ms
            return self.tick(now_ms)
        effects = self._note(now_ms)
        self._is_online = False
        self._abort(now_ms)
        self._miss(now_ms, now_ms)
        return effects

    def missed(self, since_ms: int, now_ms: int) -> list[Effect]:
        """Messages since then may be missing, though this node was online (DLC-13)."""
        self._miss(since_ms, now_ms)
        return self.tick(now_ms)

    def received(self, pubsub_topic: str, message: Message, now_ms: int) -> list[Effect]:
        """A message came by relay or by filter."""
        return self._receive(pubsub_topic, message, now_ms)

    def delivered(self, message_hash: bytes, _now_ms: int) -> list[Effect]:
        """A message is in the log."""
        self._delivering.pop(message_hash, None)
        return []

    def undelivered(self, message_hash: bytes, stamp_ns: int, now_ms: int) -> list[Effect]:
        """A message could not be stored: it is asked of a store later.

        Args:
            message_hash: 32 bytes.
            stamp_ns: The message's timestamp.
            now_ms: Unix time.
        """
        self._delivering.pop(message_hash, None)
        self._seen.discard(message_hash)
        if self._is_backfilled:
            self._miss(min(now_ms, stamp_ns // _NS_PER_MS), now_ms)
            self._retry_at_ms = max(self._retry_at_ms, now_ms + FIRST_RETRY_MS)
        return []

    def found(
        self, query: int, hashes: Sequence[bytes], cursor: bytes, now_ms: int
    ) -> list[Effect]:
        """A store node has these messages, and more if there is a cursor. Untrusted."""
        backfill = self._backfill
        if backfill is None or not backfill.asks(query):
            return []
        missing = [each for each in hashes[:PAGE] if each not in self._seen]
        return self._continue(backfill.found(missing, cursor), now_ms)

    def fetched(self, query: int, stored: Sequence[StoredMessage], now_ms: int) -> list[Effect]:
        """A store node has sent messages. Untrusted: others than were asked for are dropped."""
        backfill = self._backfill
        if backfill is None or not backfill.asks(query):
            return []
        effects: list[Effect] = []
        for each in stored[:PAGE]:
            if backfill.has_asked_for(message_hash(each.pubsub_topic, each.message)):
                effects += self._receive(each.pubsub_topic, each.message, now_ms)
        return effects + self._continue(backfill.fetched(), now_ms)

    def unanswered(self, query: int, now_ms: int) -> list[Effect]:
        """No store node has answered: the backfill starts again later."""
        if self._backfill is not None and self._backfill.asks(query):
            self._abort(now_ms)
            self._retry_at_ms = now_ms + self._retry_ms
            self._retry_ms = min(2 * self._retry_ms, MAX_RETRY_MS)
        return []

    def tick(self, now_ms: int) -> list[Effect]:
        """Forgets old hashes, notes the time, begins a backfill."""
        if self._prune_at_ms is None or now_ms >= self._prune_at_ms:
            self._prune_at_ms = now_ms + PRUNE_MS
            self._seen.prune(self._complete_ms(now_ms))
        effects: list[Effect] = []
        if self._is_online and (self._note_at_ms is None or now_ms >= self._note_at_ms):
            self._note_at_ms = now_ms + NOTE_MS
            effects += self._note(now_ms)
        if self._may_backfill() and now_ms >= self._retry_at_ms:
            effects += self._begin(now_ms)
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        times = [self._prune_at_ms] if len(self._seen) else []
        if self._is_online:
            times.append(self._note_at_ms)
        if self._may_backfill():
            times.append(self._retry_at_ms)
        return min((time for time in times if time is not None), default=None)

    @property
    def missing_since_ms(self) -> int | None:
        """Since when messages may be missing; None: none are."""
        starts = [self._gap_ms, self._backfill.start_ms if self._backfill else None]
        return min((start for start in starts if start is not None), default=None)

    def _receive(self, pubsub_topic: str, message: Message, now_ms: int) -> list[Effect]:
        if self._topics.get(message.content_topic) != pubsub_topic:
            return []
        digest = message_hash(pubsub_topic, message)
        if digest in self._seen:
            return []
        self._seen.add(digest, now_ms)
        self._delivering[digest] = min(now_ms, message.timestamp_ns // _NS_PER_MS)
        return [Deliver(digest, pubsub_topic, message)]

    def _may_backfill(self) -> bool:
        return self._is_online and self._gap_ms is not None and self._backfill is None

    def _begin(self, now_ms: int) -> list[Effect]:
        start_ms, self._gap_ms = self._gap_ms, None
        if not self._is_backfilled or start_ms is None:
            return []
        self._backfill = Backfill(
            start_ms, now_ms, self._topics, lambda: next(self._queries), stores=self._stores
        )
        return self._continue(self._backfill.ask(), now_ms)

    def _continue(self, question: Query | Fetch | None, now_ms: int) -> list[Effect]:
        if question is not None:
            return [question]
        self._backfill = None
        self._retry_ms = FIRST_RETRY_MS
        return self._note(now_ms)

    def _abort(self, now_ms: int) -> None:
        backfill, self._backfill = self._backfill, None
        if backfill is not None:
            self._miss(backfill.start_ms, now_ms)

    def _miss(self, since_ms: int, now_ms: int) -> None:
        since_ms = max(since_ms, now_ms - MAX_GAP_MS)
        self._gap_ms = since_ms if self._gap_ms is None else min(self._gap_ms, since_ms)

    def _complete_ms(self, now_ms: int) -> int:
        """Returns until when nothing is missing, and all is in the log."""
        missing_ms = self.missing_since_ms
        times = [now_ms, *self._delivering.values()]
        complete_ms = min(times if missing_ms is None else [*times, missing_ms])
        return max(complete_ms, now_ms - MAX_GAP_MS)

    def _note(self, now_ms: int) -> list[Effect]:
        if not self._is_online:
            return []
        complete_ms = self._complete_ms(now_ms)
        if complete_ms == self._noted_ms:
            return []
        self._noted_ms = complete_ms
        return [Note(complete_ms)]
