"""Which datasets this node fetches to keep: a machine (`logos_base.machine`).

A fetch is a row of attempts. A few are under way at a time; one that fails for want of
providers is followed by another after a pause, until no block has come for the patience of
whoever asked.

Spec: docs/protocol/storage.md, STO-37 to STO-39.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_storage.core.cid import Cid
from logos_storage.core.errors import (
    DatasetUnknownError,
    FetchLimitError,
    FetchUnknownError,
    NoProvidersError,
    ProvidersUnreachableError,
)
from logos_storage.core.ports import DatasetRecord
from logos_storage.core.rate import Rate

MAX_ATTEMPTS: Final = 4
"""Under way at a time."""
MAX_OPEN: Final = 1024
"""Fetches that have not ended."""
MAX_ENDED: Final = 256
"""Fetches that have, and are remembered."""
PAUSE_MS: Final = 2_000
"""After an attempt that failed; doubled each time."""
MAX_PAUSE_MS: Final = 60_000
LOOK_MS: Final = 250
"""Between two looks at an attempt under way."""
MIN_PATIENCE_MS: Final = 1_000

PASSING: Final = (NoProvidersError, ProvidersUnreachableError, DatasetUnknownError)
"""Why an attempt fails and the next one may not."""


@dataclass(frozen=True, slots=True)
class Try:
    """Begin an attempt; report `opened`, then `done`, `failed` or `stopped`."""

    cid: Cid
    patience_ms: int
    mark: str = ""
    """Of who asked for the dataset (STO-42)."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End an attempt; report `stopped`, or how it ended before."""

    cid: Cid


@dataclass(frozen=True, slots=True)
class Look:
    """Report `seen` for an attempt that has been `opened`."""

    cid: Cid


@dataclass(frozen=True, slots=True)
class Changed:
    """The progress of some fetch has changed."""


Effect = Try | Stop | Look | Changed | Answer | Refuse


class FetchState(Enum):
    """What a fetch does; the contract explains each."""

    QUEUED = "queued"
    FETCHING = "fetching"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        return self in {FetchState.DONE, FetchState.FAILED, FetchState.CANCELLED}


@dataclass(frozen=True, slots=True)
class Seen:
    """How much of a dataset is here, and who sends more."""

    blocks_held: int = 0
    held_bytes: int = 0
    """Of the content, without padding."""
    providers: tuple[str, ...] = ()
    """Peer ids of those that owe blocks."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How a fetch goes. Times are of the machine's clock."""

    number: int
    """Increases with every fetch; orders the list."""
    cid: Cid
    state: FetchState
    record: DatasetRecord | None
    """None until the manifest is here."""
    seen: Seen
    bytes_per_second: int
    time_left_ms: int | None
    """None where nothing comes."""
    error: Exception | None
    """Of the last attempt, unless a block came since."""
    started_ms: int
    next_try_ms: int | None
    ended_ms: int | None


@dataclass(slots=True)
class _Wish:
    number: int
    cid: Cid
    patience_ms: int
    started_ms: int
    since_ms: int
    """When it was asked for, or a block last came."""
    state: FetchState = FetchState.QUEUED
    record: DatasetRecord | None = None
    seen: Seen = field(default_factory=Seen)
    rate: Rate = field(default_factory=Rate)
    failures: int = 0
    """In a row."""
    error: Exception | None = None
    next_try_ms: int | None = None
    ended_ms: int | None = None
    mark: str = ""

    @property
    def gives_up_ms(self) -> int:
        return self.since_ms + self.patience_ms

    def end(self, state: FetchState, now_ms: int) -> None:
        self.state, self.ended_ms, self.next_try_ms = state, now_ms, None
        self.seen = Seen(self.seen.blocks_held, self.seen.held_bytes)

    def progress(self) -> Progress:
        is_fetching = self.state is FetchState.FETCHING
        rate = self.rate.per_second if is_fetching else 0
        left_ms = None
        if rate and self.record is not None:
            left = self.record.manifest.size_bytes - self.seen.held_bytes
            left_ms = max(left, 0) * 1000 // rate
        return Progress(
            number=self.number,
            cid=self.cid,
            state=self.state,
            record=self.record,
            seen=self.seen,
            bytes_per_second=rate,
            time_left_ms=left_ms,
            error=self.error,
            started_ms=self.started_ms,
            next_try_ms=self.next_try_ms,
            ended_ms=self.ended_ms,
        )


class Keeping:
    """The fetches of one node. Not thread-safe."""

    def __init__(self, attempt_ms: int) -> None:
        """Makes it empty.

        Args:
            attempt_ms: An attempt fails when no block has come for this long.
        """
        self._attempt_ms = attempt_ms
        self._wishes: dict[Cid, _Wish] = {}
        """Oldest first."""
        self._trying: set[Cid] = set()
        """Attempts under way, those to be stopped included."""
        self._cancels: dict[Cid, list[Ticket]] = {}
        """Questions that wait for the end of an attempt."""
        self._look_at_ms: int | None = None
        self._next_number = 1

    def find(self, cid: Cid) -> Progress:
        """Returns how a fetch goes; FetchUnknownError."""
        return self._wish(cid).progress()

    def page(self, *, below: int | None, limit: int) -> list[Progress]:
        """Returns fetches, newest first, whose number is below a bound."""
        newest = reversed(self._wishes.values())
        wanted = (one for one in newest if below is None or one.number < below)
        return [one.progress() for one, _ in zip(wanted, range(limit), strict=False)]

    def fetch(
        self, ticket: Ticket, cid: Cid, patience_ms: int, now_ms: int, *, mark: str = ""
    ) -> list[Effect]:
        """A caller wants a dataset here. Answers with its progress; FetchLimitError."""
        wish = self._wishes.get(cid)
        if wish is None or wish.state.has_ended:
            self._add(cid, patience_ms, now_ms)
        else:
            wish.patience_ms = max(wish.patience_ms, patience_ms)
            if wish.state is FetchState.WAITING:
                wish.failures = 0
                self._queue(wish)
        self._wishes[cid].mark = self._wishes[cid].mark or mark
        effects = self._plan(now_ms)
        return [*effects, Changed(), Answer(ticket, self.find(cid))]

    def cancel(self, ticket: Ticket, cid: Cid, now_ms: int) -> list[Effect]:
        """Ends a fetch. Answers with its progress once no attempt is under way.

        Refused with FetchUnknownError.
        """
        wish = self._wish(cid)
        effects: list[Effect] = []
        if not wish.state.has_ended:
            wish.end(FetchState.CANCELLED, now_ms)
            effects = [Changed()]
        if cid not in self._trying:
            return [*effects, *self._plan(now_ms), Answer(ticket, wish.progress())]
        self._cancels.setdefault(cid, []).append(ticket)
        return [*effects, Stop(cid)]

    def opened(self, cid: Cid, record: DatasetRecord, seen: Seen, now_ms: int) -> list[Effect]:
        """The manifest of a dataset is here, and its tree is open."""
        wish = self._wishes[cid]
        wish.record = record
        wish.rate.clear()
        return self._see(wish, seen, now_ms)

    def seen(self, cid: Cid, seen: Seen, now_ms: int) -> list[Effect]:
        """So much is here."""
        return self._see(self._wishes[cid], seen, now_ms)

    def done(self, cid: Cid, now_ms: int) -> list[Effect]:
        """An attempt brought all that was lacking."""
        wish = self._wishes[cid]
        wish.error = None
        wish.end(FetchState.DONE, now_ms)
        return self._ended(cid, now_ms)

    def failed(self, cid: Cid, error: Exception, now_ms: int) -> list[Effect]:
        """An attempt failed; what came is kept."""
        wish = self._wishes[cid]
        if wish.state is FetchState.FETCHING:
            wish.error = error
            if isinstance(error, PASSING) and now_ms < wish.gives_up_ms:
                pause_ms = min(PAUSE_MS << min(wish.failures, 16), MAX_PAUSE_MS)
                wish.failures += 1
                wish.state = FetchState.WAITING
                wish.next_try_ms = min(now_ms + pause_ms, wish.gives_up_ms)
                wish.seen = Seen(wish.seen.blocks_held, wish.seen.held_bytes)
            else:
                wish.end(FetchState.FAILED, now_ms)
        return self._ended(cid, now_ms)

    def stopped(self, cid: Cid, now_ms: int) -> list[Effect]:
        """An attempt was ended."""
        return self._ended(cid, now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Looks at what is under way, tries again, gives up."""
        effects: list[Effect] = []
        for wish in self._wishes.values():
            if wish.next_try_ms is not None and now_ms >= wish.next_try_ms:
                if now_ms >= wish.gives_up_ms:
                    wish.end(FetchState.FAILED, now_ms)
                else:
                    self._queue(wish)
                effects = [Changed()]
        if self._look_at_ms is not None and now_ms >= self._look_at_ms:
            self._look_at_ms = now_ms + LOOK_MS
            effects += [Look(cid) for cid in self._trying]
        return effects + self._plan(now_ms)

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        times = [one.next_try_ms for one in self._wishes.values()]
        return min((one for one in (*times, self._look_at_ms) if one is not None), default=None)

    def _wish(self, cid: Cid) -> _Wish:
        wish = self._wishes.get(cid)
        if wish is None:
            raise FetchUnknownError("no fetch of this dataset is known; `fetch` begins one")
        return wish

    def _add(self, cid: Cid, patience_ms: int, now_ms: int) -> None:
        if sum(not one.state.has_ended for one in self._wishes.values()) >= MAX_OPEN:
            raise FetchLimitError(f"{MAX_OPEN} fetches have not ended; cancel one, or wait")
        self._wishes.pop(cid, None)
        number, self._next_number = self._next_number, self._next_number + 1
        self._wishes[cid] = _Wish(number, cid, patience_ms, now_ms, now_ms)

    def _queue(self, wish: _Wish) -> None:
        wish.state, wish.next_try_ms = FetchState.QUEUED, None

    def _see(self, wish: _Wish, seen: Seen, now_ms: int) -> list[Effect]:
        if wish.state is not FetchState.FETCHING:
            return []
        before = wish.progress()
        if seen.held_bytes > wish.seen.held_bytes:
            wish.since_ms, wish.failures, wish.error = now_ms, 0, None
        wish.seen = seen
        wish.rate.note(seen.held_bytes, now_ms)
        return [Changed()] if wish.progress() != before else []

    def _ended(self, cid: Cid, now_ms: int) -> list[Effect]:
        self._trying.remove(cid)
        value = self._wishes[cid].progress()
        answers = [Answer(ticket, value) for ticket in self._cancels.pop(cid, ())]
        return [Changed(), *answers, *self._plan(now_ms)]

    def _plan(self, now_ms: int) -> list[Effect]:
        effects = list(self._begin(now_ms))
        if not self._trying:
            self._look_at_ms = None
        elif self._look_at_ms is None:
            self._look_at_ms = now_ms + LOOK_MS
        self._forget()
        return effects

    def _begin(self, now_ms: int) -> Iterator[Effect]:
        """Gives turns to those that wait for one, the oldest first."""
        for wish in self._wishes.values():
            if len(self._trying) >= MAX_ATTEMPTS:
                return
            if wish.state is FetchState.QUEUED and wish.cid not in self._trying:
                wish.state = FetchState.FETCHING
                self._trying.add(wish.cid)
                left_ms = max(MIN_PATIENCE_MS, wish.gives_up_ms - now_ms)
                yield Changed()
                yield Try(wish.cid, min(self._attempt_ms, left_ms), wish.mark)

    def _forget(self) -> None:
        """Forgets those that ended first, where too many have."""
        ended = [one for one in self._wishes.values() if one.state.has_ended]
        ended = [one for one in ended if one.cid not in self._trying]
        ended.sort(key=lambda one: one.ended_ms or 0)
        for one in ended[: max(0, len(ended) - MAX_ENDED)]:
            del self._wishes[one.cid]
