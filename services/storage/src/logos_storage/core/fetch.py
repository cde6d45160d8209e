"""Fetches the blocks of one tree from several providers: a machine (`logos_base.machine`).

Readers report what they want and their position; the machine keeps a bounded number of
batches in flight, in the order of the readers' need and never far ahead of them. A
provider that sends false data is banned, one that stalls or disconnects is retried later,
and what either of them owed is requested from another.

Spec: docs/protocol/storage.md, STO-30 to STO-36.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_storage.core.batch import runs_of
from logos_storage.core.bitfield import Bitfield
from logos_storage.core.errors import BadDataError, NoProvidersError, ProvidersUnreachableError
from logos_storage.core.wire import BlockRange

MAX_PROVIDERS: Final = 64
"""Providers remembered in one fetch; further ones are ignored."""


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Bounds and times of a fetch (STO-31, STO-32); block counts follow from the block size."""

    window_blocks: int
    """How far beyond a reader's position blocks are asked for."""
    first_batch_blocks: int
    """Size of a provider's first batch; doubled with each complete answer."""
    max_batch_blocks: int
    max_depth: int = 6
    """Batches under way with one provider."""
    max_in_flight: int = 16
    """Batches under way with all of them."""
    max_open: int = 8
    """Providers with an open stream."""
    wanted_providers: int = 3
    """With fewer than this many, others are searched for at an interval."""
    stall_ms: int = 10_000
    """A provider that sends nothing for this long is dropped."""
    hedge_ms: int = 2_000
    """Blocks outstanding for this long are requested from another provider as well."""
    search_ms: int = 2_000
    """Between two searches while no provider delivers."""
    idle_search_ms: int = 15_000
    """Between two searches while one does."""
    retry_ms: int = 500
    """First pause after a provider failed; doubled each time."""
    max_retry_ms: int = 4_000
    lack_ms: int = 1_000
    """After so long a block is requested again from a provider that lacked it; doubled
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


Effect = Open | Request | Close | Search | Answer | Refuse


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
    sent_blocks: int = 0
    """That were verified and kept."""
    has_answered: bool = False
    """Since it last failed."""
    empty_answers: int = 0
    """In a row."""
    since_ms: int = 0
    """When it last made progress, or got a request while it was idle."""
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
        """Forgets all requests to it."""
        self.batches.clear()
        self.arrived.clear()


@dataclass(slots=True)
class _Reader:
    position: int
    end: int
    patience_ms: int
    since_ms: int
    """When it began, or a block last came."""
    waits: dict[Ticket, int] = field(default_factory=dict)
    """Open questions, and the end of the range of each."""
    failure: Exception | None = None


class Fetch:
    """State of one fetch. Not thread-safe.

    `bitfield` is read here, and written by the store before it reports `stored`.
    """

    def __init__(self, settings: FetchSettings, bitfield: Bitfield) -> None:
        self._settings = settings
        self._bitfield = bitfield
        self._providers: dict[str, _Provider] = {}
        self._readers: dict[int, _Reader] = {}
        self._next_request = 1
        self._searching = False
        self._search_at_ms: int | None = None
        """When the next search may start; None before the first."""
        self._ban_unsearched = False
        """Whether a provider was banned since the last search began."""
        self._wake_ms: int | None = None

    def want(
        self, reader: int, first: int, end: int, patience_ms: int, now_ms: int
    ) -> list[Effect]:
        """A reader wants [first, end), and gives up when nothing comes for its patience."""
        self._readers[reader] = _Reader(first, end, patience_ms, now_ms)
        return self._plan(now_ms)

    def wait(self, ticket: Ticket, reader: int, first: int, end: int, now_ms: int) -> list[Effect]:
        """Answers once [first, end) is here; the reader is done with everything before `first`.

        Refused with NoProvidersError, ProvidersUnreachableError, BadDataError, or what
        `fail` was given.
        """
        waiting = self._readers[reader]
        waiting.position = max(first, waiting.position)
        waiting.waits[ticket] = end
        return self._plan(now_ms)

    def release(self, reader: int, now_ms: int) -> list[Effect]:
        """A reader wants nothing more. What is in flight for it still comes."""
        self._readers.pop(reader, None)
        return self._plan(now_ms)

    def fail(self, error: Exception, now_ms: int) -> list[Effect]:
        """This node cannot get or keep blocks: no reader will have any."""
        for reader in self._readers.values():
            reader.failure = reader.failure or error
        return self._plan(now_ms)

    def found(self, peers: Iterable[str], now_ms: int) -> list[Effect]:
        """A search found providers. Known ones keep their state."""
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
        """The stream to a provider is open."""
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
        """An answer was verified and stored. Blocks that it left out, the peer lacks."""
        provider = self._providers[peer]
        asked = provider.batches.pop(request_id, ())
        provider.arrived.discard(request_id)
        self._note_lacks(provider, set(asked) - blocks, now_ms)
        provider.sent_blocks += len(blocks)
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
        """A provider sent false data, or violated the protocol."""
        provider = self._providers[peer]
        effects: list[Effect] = []
        if provider.phase is not _Phase.BANNED:
            provider.forget()
            provider.phase = _Phase.BANNED
            self._ban_unsearched = True
            effects.append(Close(peer, CloseReason.FALSE_DATA))
        return effects + self._plan(now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Drops stalled providers, retries, searches again, gives up."""
        return self._plan(now_ms)

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        return self._wake_ms

    def owing(self) -> tuple[str, ...]:
        """Returns the providers that owe blocks now."""
        return tuple(one.peer for one in self._providers.values() if one.batches)

    def senders(self) -> tuple[str, ...]:
        """Returns the providers that have sent blocks, those with the most first."""
        senders = [one for one in self._providers.values() if one.sent_blocks]
        return tuple(one.peer for one in sorted(senders, key=lambda one: -one.sent_blocks))

    def _plan(self, now_ms: int) -> list[Effect]:
        effects = list(self._drop_stalled(now_ms))
        self._give_up(now_ms)
        effects += self._answer()
        if self._needy():
            effects += self._open(now_ms)
            effects += self._assign(now_ms)
            effects += self._search(now_ms)
        self._wake_ms = self._next_time(now_ms)
        return effects

    def _answer(self) -> Iterator[Effect]:
        """Answers the questions of readers that have what they wait for, or never will."""
        for reader in self._readers.values():
            for ticket, end in list(reader.waits.items()):
                if self._bitfield.holds(reader.position, end):
                    del reader.waits[ticket]
                    yield Answer(ticket)
                elif reader.failure is not None:
                    del reader.waits[ticket]
                    yield Refuse(ticket, reader.failure)

    def _needy(self) -> list[_Reader]:
        """Returns the readers that lack blocks and have not given up."""
        return [
            reader
            for reader in self._readers.values()
            if reader.failure is None and not self._bitfield.holds(reader.position, reader.end)
        ]

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
        provider.has_answered = provider.has_answered and not is_fault
        provider.depth = 1
        provider.batch_blocks = self._settings.first_batch_blocks

    def _give_up(self, now_ms: int) -> None:
        """Fails the readers that have waited for their patience (STO-34)."""
        if any(one.arrived for one in self._providers.values()):
            return  # blocks may be about to be kept; the disk is no provider's fault
        is_hopeless = self._are_all_false()
        for reader in self._needy():
            if is_hopeless or now_ms >= reader.since_ms + reader.patience_ms:
                reader.failure = self._failure()

    def _are_all_false(self) -> bool:
        """Whether all are banned, and a later search found no other."""
        return (
            bool(self._providers)
            and not self._ban_unsearched
            and not self._searching
            and all(one.phase is _Phase.BANNED for one in self._providers.values())
        )

    def _failure(self) -> Exception:
        """Returns why no block arrives (STO-35): whether a retry makes sense comes first."""
        others = [one for one in self._providers.values() if one.phase is not _Phase.BANNED]
        if any((one.failures or one.is_open) and not one.has_answered for one in others):
            return ProvidersUnreachableError("the providers that were found do not answer")
        if self._providers and not others:
            return BadDataError("every provider sent false data")
        return NoProvidersError("no node was found that holds all of it")

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
        """Closes one provider that lacks what is needed, to make room for another."""
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
        needy = self._needy()
        turn = self._next_request % max(1, len(needy))
        for reader in needy[turn:] + needy[:turn]:
            limit = min(reader.end, reader.position + self._settings.window_blocks)
            wanted = (
                index
                for index in self._bitfield.missing(reader.position, limit)
                if index not in taken and provider.lacks.get(index, 0) <= now_ms
            )
            if chosen := tuple(islice(wanted, provider.batch_blocks)):
                return chosen
        return ()

    def _under_way(self, asker: _Provider, now_ms: int) -> set[int]:
        """Returns the blocks not to request from a provider: it or a prompt one owes them."""
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
        """Looks for providers: often while none delivers, rarely otherwise (STO-33)."""
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
        needy = self._needy()
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
