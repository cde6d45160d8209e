"""Fetches what an archive has missed while this node was away: a machine (`logos_base.machine`).

A run asks a store node for all messages since the newest kept one, oldest first, page by page.
Where one fails, another is asked, from the time that the run has come to; that time is noted
durably, so that a run which is cut off is continued after the next start.

The time of its inputs is the wall clock. Spec: docs/protocol/delivery-store.md, DST-41, DST-42.
"""

from dataclasses import dataclass
from typing import Final

from logos_delivery.core.archive.admission import MAX_DRIFT_NS
from logos_delivery.core.archive.types import MAX_PAGE, Entry, Page, Position, Query

OVERLAP_NS: Final = 2 * MAX_DRIFT_NS
"""The newest kept message may be this much newer than one that comes at the same moment."""
MAX_AWAY_NS: Final = 30 * 24 * 60 * 60 * 10**9
MAX_PAGES: Final = 10_000
FIRST_RETRY_MS: Final = 1_000
MAX_RETRY_MS: Final = 60_000
MAX_UNJUDGED: Final = 30
"""Tries of one page whose proofs are not judged, in some half an hour."""

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a store node; report `answered` or `unanswered`.

    With a cursor the same one as before, else any.
    """

    query: Query


@dataclass(frozen=True, slots=True)
class Keep:
    """Check messages and put those that pass into the archive.

    Report `kept`, or `unanswered`, or `unjudged`.
    """

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Store durably since when messages may be missing; need not be reported."""

    since_ns: int | None
    """None: none are missing."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The run ends before its time. What was noted last stays, for the next start."""


Effect = Ask | Keep | Note | GiveUp


def away_since(pending_ns: int | None, newest_ns: int | None, now_ms: int) -> int | None:
    """Returns since when an archive may lack messages, at a start (DST-41).

    Args:
        pending_ns: What was noted last: an earlier run has not ended.
        newest_ns: Timestamp of the newest kept message; None: the archive is empty.
        now_ms: Unix time.

    Returns:
        Nanoseconds since 1970; None for an archive that has kept nothing yet.
    """
    now_ns = now_ms * _NS_PER_MS
    if newest_ns is not None:
        newest_ns = min(newest_ns, now_ns) - OVERLAP_NS
    found = [each for each in (pending_ns, newest_ns) if each is not None]
    return max(0, now_ns - MAX_AWAY_NS, min(found)) if found else None


class Resuming:
    """The one run of a start."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        """What the run has come to; None: there is none."""
        self._last: Position | None = None
        """Of the last message of this store node."""
        self._cursor: bytes | None = None
        self._pages = 0
        self._unjudged = 0
        """Tries of this page."""
        self._retry_ms = FIRST_RETRY_MS
        self._retry_at_ms: int | None = None

    def begin(self, since_ns: int, now_ms: int) -> list[Effect]:
        """Messages of this time and later may be missing."""
        self._since_ns = since_ns
        return [Note(since_ns), self._ask(since_ns, now_ms)]

    def answered(self, page: Page, now_ms: int) -> list[Effect]:
        """A store node has answered. Untrusted, beyond DST-10."""
        positions = [entry.position for entry in page.entries]
        if self._last is not None and positions and positions[0] <= self._last:
            return self.unanswered(now_ms)  # it goes backwards, perhaps for ever
        self._cursor = page.cursor
        if not positions:
            return self._end()
        self._last = positions[-1]
        return [Keep(page.entries)]

    def kept(self, now_ms: int) -> list[Effect]:
        """The messages of a page are in the archive, but for those that were refused."""
        self._retry_ms = FIRST_RETRY_MS
        self._unjudged = 0
        self._pages += 1
        if self._last is None or self._cursor is None or self._pages >= MAX_PAGES:
            return self._end()
        self._since_ns = self._last.timestamp_ns
        return [Note(self._since_ns), self._ask(self._since_ns, now_ms)]

    def unanswered(self, now_ms: int) -> list[Effect]:
        """No store node has answered, or the archive took nothing: the run goes on later."""
        self._cursor = self._last = None
        self._retry_at_ms = now_ms + self._retry_ms
        self._retry_ms = min(2 * self._retry_ms, MAX_RETRY_MS)
        return []

    def unjudged(self, now_ms: int) -> list[Effect]:
        """A proof of the page could not be judged: the run goes on later, or at the next start."""
        self._unjudged += 1
        if self._unjudged < MAX_UNJUDGED:
            return self.unanswered(now_ms)
        self._since_ns = self._cursor = self._last = None
        return [GiveUp()]

    def tick(self, now_ms: int) -> list[Effect]:
        """Asks again, if that is due."""
        if self._since_ns is None or self._retry_at_ms is None or now_ms < self._retry_at_ms:
            return []
        self._retry_at_ms = None
        return [self._ask(self._since_ns, now_ms)]

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        return self._retry_at_ms

    def _ask(self, since_ns: int, now_ms: int) -> Ask:
        query = Query(
            start_ns=since_ns,
            end_ns=now_ms * _NS_PER_MS + MAX_DRIFT_NS,
            include_data=True,
            cursor=self._cursor,
            limit=MAX_PAGE,
        )
        return Ask(query)

    def _end(self) -> list[Effect]:
        self._since_ns = self._cursor = self._last = None
        return [Note(None)]
