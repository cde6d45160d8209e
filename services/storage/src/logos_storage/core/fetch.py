"""Fetches the blocks of one tree from several providers.

Pure protocol core. No sockets and no clock: what happened and when comes in, and
what should happen next comes out as effects. Readers say what they want and how
far they have come; the machine keeps a bounded number of batches under way, in
the order of the readers' need and never far ahead of them. Who sends false data
is banned, who stalls or goes away is tried again later, and what either owed is
asked of another.

Spec: docs/protocol/storage.md, STO-30 to STO-36.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from logos_storage.core.batch import runs_of
from logos_storage.core.presence import Presence
from logos_storage.core.wire import BlockRange

MAX_PROVIDERS: Final = 64
"""Providers remembered in one fetch; more are not listened to."""


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Bounds and times of a fetch (STO-31, STO-32); block counts follow from the block size."""

    window_blocks: int
    """How far beyond a reader's position blocks are asked for."""
    first_batch_blocks: int
    """Size of a provider's first batch; doubled with each that comes well."""
    max_batch_blocks: int
    max_depth: int = 6
    """Batches under way with one provider."""
    max_in_flight: int = 16
    """Batches under way with all of them."""
    max_open: int = 8
    """Providers with an open stream."""
    wanted_providers: int = 3
    """With fewer than this many, others are looked for now and then."""
    stall_ms: int = 10_000
    """A provider that answers nothing for so long is dropped."""
    hedge_ms: int = 2_000
    """What a provider owes for so long is asked of another as well."""
    search_ms: int = 2_000
    """Between two searches while nobody can help."""
    idle_search_ms: int = 15_000
    """Between two searches while somebody can."""
    retry_ms: int = 500
    """First pause after a provider failed; doubled each time."""
    max_retry_ms: int = 4_000
    lack_ms: int = 1_000
    """After so long a provider is asked again for a block that it lacked; doubled
    up to eight times while it has nothing at all."""


@dataclass(frozen=True, slots=True)
class Open:
    """Open a stream to a provider; answer with `opened` or `lost`."""

    peer: str


@dataclass(frozen=True, slots=True)
class Request:
    """Ask a provider for blocks; answer with `stored`, `refused` or `lost`."""

    peer: str
    request_id: int
    ranges: tuple[BlockRange, ...]


class CloseReason(Enum):
    """Why a stream is not wanted any longer."""

    STALLED = "stalled"
    FALSE_DATA = "false data"
    UNUSED = "unused"


@dataclass(frozen=True, slots=True)
class Close:
    """Close the stream to a provider; nothing it sends counts any longer."""

    peer: str
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class Search:
    """Look for providers; answer with `found` for each and with `search_ended`."""


class FailureReason(Enum):
    """Why a reader will not get its blocks."""

    NO_PROVIDERS = "NO_PROVIDERS"
    PROVIDERS_UNREACHABLE = "PROVIDERS_UNREACHABLE"
    BAD_DATA = "BAD_DATA"


@dataclass(frozen=True, slots=True)
class Failed:
    """Give up for one reader; it is released."""

    reader: int
    reason: FailureReason


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call `tick` at this time (ms). Replaces any earlier WakeAt."""

    time_ms: int


Effect = Open | Request | Close | Search | Failed | WakeAt


class _Phase(Enum):
    KNOWN = auto()
    OPENING = auto()
    READY = auto()
    COOLING = auto()
    BANNED = auto()


@dataclass(slots=True)
class _Provider:
    peer: str
    batch_blocks: int
    phase: _Phase = _Phase.KNOWN
    depth: int = 2
    failures: int = 0
    """In a row."""
    has_answered: bool = False
    """Since its stream was opened."""
    empty_answers: int = 0
    """In a row."""
    since_ms: int = 0
    """When it last did something for us, or was asked to while it was idle."""
    retry_at_ms: int = 0
    batches: dict[int, tuple[int, ...]] = field(default_factory=dict)
    arrived: set[int] = field(default_factory=set)
    """Batches whose answer is here, and being checked."""
    lacks: dict[int, int] = field(default_factory=dict)
    """Blocks that it did not have, and when to ask again."""

    @property
    def is_open(self) -> bool:
        return self.phase in {_Phase.OPENING, _Phase.READY}

    @property
    def owes(self) -> bool:
        return self.phase is _Phase.OPENING or len(self.arrived) < len(self.batches)

    def forget(self) -> None:
        """Takes back all that was asked of it."""
        self.batches.clear()
        self.arrived.clear()


@dataclass(slots=True)
class _Reader:
    position: int
    end: int
    patience_ms: int
    since_ms: int
    """When it last had reason to hope: its start, or a block that came."""


class FetchMachine:
    """State of one fetch. Not thread-safe.

    `presence` is read here and written by whoever stores blocks, before it calls
    `stored`. Every input returns the effects that follow, in order.
    """

    def __init__(self, settings: FetchSettings, presence: Presence) -> None:
        self._settings = settings
        self._presence = presence
        self._providers: dict[str, _Provider] = {}
        self._readers: dict[int, _Reader] = {}
        self._next_request = 1
        self._searching = False
        self._search_at_ms: int | None = None
        """When the next search may start; None before the first."""
        self._ban_unsearched = False
        """Whether somebody was banned since the last search began."""

    def want(
        self, reader: int, first: int, end: int, *, patience_ms: int, now_ms: int
    ) -> list[Effect]:
        """A reader wants [first, end), and gives up when nothing comes for its patience."""
        self._readers[reader] = _Reader(first, end, patience_ms, now_ms)
        return self._plan(now_ms)

    def advance(self, reader: int, position: int, now_ms: int) -> list[Effect]:
        """A reader has everything below `position`."""
        if reader in self._readers:
            self._readers[reader].position = position
        return self._plan(now_ms)

    def release(self, reader: int, now_ms: int) -> list[Effect]:
        """A reader wants nothing more. What is under way for it still comes."""
        self._readers.pop(reader, None)
        return self._plan(now_ms)

    def found(self, peers: Iterable[str], now_ms: int) -> list[Effect]:
        """A search found providers. Known ones are not forgiven by this."""
        for peer in peers:
            if peer not in self._providers and len(self._providers) < MAX_PROVIDERS:
                self._providers[peer] = _Provider(peer, self._settings.first_batch_blocks)
        return self._plan(now_ms)

    def search_ended(self, now_ms: int) -> list[Effect]:
        """The search is over, whatever it found."""
        self._searching = False
        self._search_at_ms = now_ms + self._settings.search_ms
        return self._plan(now_ms)

    def opened(self, peer: str, now_ms: int) -> list[Effect]:
        """The stream to a provider stands."""
        provider = self._providers[peer]
        if provider.phase is _Phase.OPENING:
            provider.phase = _Phase.READY
            provider.since_ms = now_ms
        return self._plan(now_ms)

    def lost(self, peer: str, now_ms: int) -> list[Effect]:
        """The stream to a provider could not be opened, or has ended."""
        provider = self._providers[peer]
        if provider.is_open:
            self._cool(provider, now_ms)
        return self._plan(now_ms)

    def arrived(self, peer: str, request_id: int, now_ms: int) -> list[Effect]:
        """An answer is here; `stored` or `refused` will follow, however long that takes."""
        provider = self._providers[peer]
        if request_id in provider.batches:
            provider.arrived.add(request_id)
            provider.since_ms = now_ms
        return self._plan(now_ms)

    def stored(
        self, peer: str, request_id: int, blocks: frozenset[int], now_ms: int
    ) -> list[Effect]:
        """An answer was true, and its blocks are kept. What it left out, the peer lacks."""
        provider = self._providers[peer]
        asked = provider.batches.pop(request_id, ())
        provider.arrived.discard(request_id)
        self._note_lacks(provider, set(asked) - blocks, now_ms)
        provider.empty_answers = 0 if blocks else provider.empty_answers + 1
        provider.has_answered = True
        provider.since_ms = now_ms
        if asked and blocks.issuperset(asked):
            provider.failures = 0
            provider.depth = min(provider.depth + 1, self._settings.max_depth)
            provider.batch_blocks = min(provider.batch_blocks * 2, self._settings.max_batch_blocks)
        if blocks:
            for reader in self._readers.values():
                reader.since_ms = now_ms
        return self._plan(now_ms)

    def _note_lacks(self, provider: _Provider, lacking: set[int], now_ms: int) -> None:
        pause_ms = self._settings.lack_ms << min(provider.empty_answers, 3)
        known = {index: due for index, due in provider.lacks.items() if due > now_ms}
        provider.lacks = {**known, **dict.fromkeys(lacking, now_ms + pause_ms)}

    def refused(self, peer: str, now_ms: int) -> list[Effect]:
        """A provider sent false data, or broke the protocol."""
        provider = self._providers[peer]
        effects: list[Effect] = []
        if provider.phase is not _Phase.BANNED:
            provider.forget()
            provider.phase = _Phase.BANNED
            self._ban_unsearched = True
            effects.append(Close(peer, CloseReason.FALSE_DATA))
        return effects + self._plan(now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Time has passed."""
        return self._plan(now_ms)

    @property
    def has_readers(self) -> bool:
        return bool(self._readers)

    def _plan(self, now_ms: int) -> list[Effect]:
        effects = list(self._drop_stalled(now_ms))
        effects += self._give_up(now_ms)
        if any(True for _ in self._missing_of_readers()):
            effects += self._open(now_ms)
            effects += self._assign(now_ms)
            effects += self._search(now_ms)
        wake = self._next_time(now_ms)
        if wake is not None:
            effects.append(WakeAt(wake))
        return effects

    def _missing_of_readers(self) -> Iterator[_Reader]:
        for reader in self._readers.values():
            if not self._presence.holds(reader.position, reader.end):
                yield reader

    def _drop_stalled(self, now_ms: int) -> Iterator[Effect]:
        for provider in self._providers.values():
            if not provider.is_open or not provider.owes:
                continue
            if now_ms >= provider.since_ms + self._settings.stall_ms:
                self._cool(provider, now_ms)
                yield Close(provider.peer, CloseReason.STALLED)

    def _cool(self, provider: _Provider, now_ms: int, *, is_fault: bool = True) -> None:
        provider.forget()
        pause_ms = self._settings.retry_ms << min(provider.failures, 16)
        provider.phase = _Phase.COOLING
        provider.retry_at_ms = now_ms + min(pause_ms, self._settings.max_retry_ms)
        provider.failures += is_fault
        provider.has_answered = False
        provider.depth = 1
        provider.batch_blocks = self._settings.first_batch_blocks

    def _give_up(self, now_ms: int) -> Iterator[Effect]:
        """Ends the readers whose patience is at its end (STO-34)."""
        if any(one.arrived for one in self._providers.values()):
            return  # blocks may be about to be kept; the disk is no provider's fault
        for key, reader in list(self._readers.items()):
            if self._presence.holds(reader.position, reader.end):
                continue
            is_hopeless = self._is_everybody_false()
            if is_hopeless or now_ms >= reader.since_ms + reader.patience_ms:
                del self._readers[key]
                yield Failed(key, self._reason())

    def _is_everybody_false(self) -> bool:
        """Whether all are banned, and a later search found nobody else."""
        return (
            bool(self._providers)
            and not self._ban_unsearched
            and not self._searching
            and all(one.phase is _Phase.BANNED for one in self._providers.values())
        )

    def _reason(self) -> FailureReason:
        """Says why nothing comes (STO-35): first of all whether trying again makes sense."""
        others = [one for one in self._providers.values() if one.phase is not _Phase.BANNED]
        if any(one.failures or (one.is_open and not one.has_answered) for one in others):
            return FailureReason.PROVIDERS_UNREACHABLE
        if self._providers and not others:
            return FailureReason.BAD_DATA
        return FailureReason.NO_PROVIDERS

    def _open(self, now_ms: int) -> Iterator[Effect]:
        room = self._settings.max_open - sum(one.is_open for one in self._providers.values())
        waiting = [
            one
            for one in self._providers.values()
            if one.phase is _Phase.KNOWN
            or (one.phase is _Phase.COOLING and one.retry_at_ms <= now_ms)
        ]
        waiting.sort(key=lambda one: one.failures)
        if room <= 0 and waiting:
            yield from self._close_useless(now_ms)
        for provider in waiting[: max(room, 0)]:
            provider.phase = _Phase.OPENING
            provider.since_ms = now_ms
            yield Open(provider.peer)

    def _close_useless(self, now_ms: int) -> Iterator[Effect]:
        """Makes room where somebody who lacks everything keeps another out."""
        for provider in self._providers.values():
            if provider.phase is _Phase.READY and not provider.batches and provider.lacks:
                self._cool(provider, now_ms, is_fault=False)
                yield Close(provider.peer, CloseReason.UNUSED)
                return

    def _assign(self, now_ms: int) -> Iterator[Effect]:
        """Gives out batches, one each in turn, to the least busy first."""
        under_way = sum(len(one.batches) for one in self._providers.values())
        able = [one for one in self._providers.values() if one.phase is _Phase.READY]
        while able and under_way < self._settings.max_in_flight:
            able.sort(key=lambda one: (one.failures > 0, len(one.batches) - one.depth))
            provider = able[0]
            chosen: tuple[int, ...] = ()
            if len(provider.batches) < provider.depth:
                chosen = self._choose(provider, now_ms)
            if not chosen:
                able.pop(0)
                continue
            if not provider.batches:
                provider.since_ms = now_ms
            request_id, self._next_request = self._next_request, self._next_request + 1
            provider.batches[request_id] = chosen
            under_way += 1
            ranges = tuple(BlockRange(first, end - first) for first, end in runs_of(chosen))
            yield Request(provider.peer, request_id, ranges)

    def _choose(self, provider: _Provider, now_ms: int) -> tuple[int, ...]:
        """Returns the blocks that are needed first and that the provider may have."""
        taken = self._under_way(provider, now_ms)
        needy = list(self._missing_of_readers())
        turn = self._next_request % max(1, len(needy))
        for reader in needy[turn:] + needy[:turn]:
            chosen: list[int] = []
            limit = min(reader.end, reader.position + self._settings.window_blocks)
            index = self._presence.next_missing(reader.position, limit)
            while index < limit and len(chosen) < provider.batch_blocks:
                if index not in taken and provider.lacks.get(index, 0) <= now_ms:
                    chosen.append(index)
                index = self._presence.next_missing(index + 1, limit)
            if chosen:
                return tuple(chosen)
        return ()

    def _under_way(self, asker: _Provider, now_ms: int) -> set[int]:
        """Returns what need not be asked of a provider: it or a prompt one owes it."""
        return {
            index
            for one in self._providers.values()
            for number, asked in one.batches.items()
            if one is asker
            or number in one.arrived
            or now_ms < one.since_ms + self._settings.hedge_ms
            for index in asked
        }

    def _search(self, now_ms: int) -> Iterator[Effect]:
        """Looks for providers: often while nobody delivers, rarely otherwise (STO-33)."""
        if self._searching:
            return
        if self._search_at_ms is not None and now_ms < self._search_due_ms():
            return
        self._searching = True
        self._ban_unsearched = False
        yield Search()

    def _search_due_ms(self) -> int:
        due_ms = self._search_at_ms or 0
        helping = sum(bool(one.batches) for one in self._providers.values())
        if helping >= self._settings.wanted_providers:
            return due_ms + 4 * self._settings.idle_search_ms
        if helping:
            return due_ms + self._settings.idle_search_ms
        if self._ban_unsearched:
            return 0
        return due_ms

    def _next_time(self, now_ms: int) -> int | None:
        """Returns when something is due even if nothing happens."""
        needy = list(self._missing_of_readers())
        times = [reader.since_ms + reader.patience_ms for reader in needy]
        for provider in self._providers.values():
            if provider.is_open and provider.owes:
                times.append(provider.since_ms + self._settings.stall_ms)
                hedge_at_ms = provider.since_ms + self._settings.hedge_ms
                times += [hedge_at_ms] if hedge_at_ms > now_ms else []
            elif needy and provider.phase is _Phase.COOLING and provider.retry_at_ms > now_ms:
                times.append(provider.retry_at_ms)
            elif needy and provider.phase is _Phase.READY and provider.lacks:
                times += [time for time in provider.lacks.values() if time > now_ms]
        if needy and not self._searching and self._search_at_ms is not None:
            times.append(self._search_due_ms())
        return min((time for time in times if time > now_ms), default=None)
