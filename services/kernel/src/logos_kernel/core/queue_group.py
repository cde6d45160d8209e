"""A queue group: each event goes to one member, until it is settled (KER-37, KER-38).

Its place in the log is durable: all up to it is settled. What is settled beyond it is known in
memory only, so a restart of the kernel delivers that again. An event that was refused too often
is buried: it becomes a dead letter, in the transaction that moves the place past it.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_kernel.core.events import PAGE_BYTES, DeadLetter, Event, Group, NotInFlightError, Page
from logos_kernel.core.gaps import Gaps, Missed

MAX_REFUSALS: Final = 5
MAX_IN_FLIGHT: Final = 256
WINDOW: Final = 512
"""Events of a group in memory; a page more at most."""

WINDOW_BYTES: Final = 2 * PAGE_BYTES
SAVE_RETRY_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Fetch:
    """The log is to be read; `fetched` or `fetch_failed` follows."""

    after: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """An event goes to a member."""

    member: int
    event: Event
    refusals: int


@dataclass(frozen=True, slots=True)
class SaveGroup:
    """To be stored in one transaction; `saved` or `save_failed` follows."""

    group: Group
    buried: tuple[tuple[Event, int], ...] = ()
    """Events that become dead letters, and how often each was refused."""


@dataclass(frozen=True, slots=True)
class DropLetters:
    """Dead letters that are settled now."""

    ids: tuple[int, ...]


GroupEffect = Fetch | Deliver | Missed | SaveGroup | DropLetters
Effects = Sequence[GroupEffect | Answer | Refuse]


@dataclass(slots=True)
class _Member:
    room: int
    held: set[int] = field(default_factory=set)
    """Positions that it has not settled."""


class QueueGroup:
    """The machine of one group. Members are numbers, never used again."""

    def __init__(self, group: Group) -> None:
        self.group = group
        """With its place as it is now; it may not be durable yet."""
        self._members: dict[int, _Member] = {}
        self._events: dict[int, Event] = {}
        """Unsettled, by position: those of the log in its order, requeued ones anywhere."""
        self._letters: dict[int, int] = {}
        """Ids of those that are requeued dead letters."""
        self._ready: list[int] = []
        """Heap of positions."""
        self._delayed: dict[int, int] = {}
        """When each is ready again."""
        self._settled: set[int] = set()
        """Beyond the place of the group."""
        self._refusals: dict[int, int] = {}
        self._read_to = group.position
        self._gaps = Gaps()
        self._has_news = True
        self._is_fetching = False
        self._is_saving = False
        self._must_save = False
        self._save_due_ms: int | None = None
        self._buried: list[tuple[Event, int]] = []

    @property
    def has_members(self) -> bool:
        """Whether a consumer is connected."""
        return bool(self._members)

    def join(self, member: int, room: int, at_ms: int, now_ms: int) -> Effects:
        """Input: a member takes up to `room` unsettled events at a time; `at_ms`: wall clock."""
        self.group, self._must_save = replace(self.group, used_at_ms=at_ms), True
        self._members[member] = _Member(room)
        self._has_news = True
        return self._go_on()

    def leave(self, member: int, at_ms: int, now_ms: int) -> Effects:
        """Input: a member is gone; what it held goes to others. `at_ms`: wall clock."""
        self.group, self._must_save = replace(self.group, used_at_ms=at_ms), True
        gone = self._members.pop(member, None)
        for position in () if gone is None else gone.held:
            heapq.heappush(self._ready, position)
        if not self._members:
            self._drop_contents()
        return self._go_on()

    def news(self, now_ms: int) -> Effects:
        """Input: the log has more."""
        self._has_news = True
        return self._go_on()

    def fetched(self, after: int, page: Page, now_ms: int) -> Effects:
        """Input: a part of the log, after a position."""
        self._is_fetching = False
        if after != self._read_to:  # it was asked for members that are gone
            self._has_news = True
            return self._go_on()
        missed = list(self._gaps.in_page(page))
        self._has_news = self._has_news or bool(page.events)
        for event in page.events:
            if event.position not in self._settled and event.position not in self._events:
                self._events[event.position] = event
                heapq.heappush(self._ready, event.position)
        self._read_to = max(self._read_to, page.position)
        self._move()
        return [*missed, *self._go_on()]

    def fetch_failed(self, now_ms: int) -> Effects:
        """Input: the log cannot be read now; it is tried with the next news."""
        self._is_fetching = False
        return ()

    def ack(self, ticket: Ticket, member: int, positions: Sequence[int], now_ms: int) -> Effects:
        """Question: settles events of a member.

        Raises:
            NotInFlightError: It does not hold one of them; nothing is settled.
        """
        self._take(member, positions)
        dropped = tuple(self._letters[one] for one in positions if one in self._letters)
        for position in positions:
            self._settle(position)
        self._move()
        drop = [DropLetters(dropped)] if dropped else []
        return [Answer(ticket), *drop, *self._go_on()]

    def nack(
        self, ticket: Ticket, member: int, positions: Sequence[int], delay_ms: int, now_ms: int
    ) -> Effects:
        """Question: gives events of a member back, for later; or buries them.

        Raises:
            NotInFlightError: It does not hold one of them; nothing is given back.
        """
        self._take(member, positions)
        for position in positions:
            refusals = self._refusals.get(position, 0) + 1
            self._refusals[position] = refusals
            if refusals < MAX_REFUSALS:
                self._delayed[position] = now_ms + delay_ms
                continue
            if position not in self._letters:  # else it is one still
                self._buried.append((self._events[position], refusals))
                self._must_save = True
            self._settle(position)
        self._move()
        return [Answer(ticket), *self._due(now_ms), *self._go_on()]

    def requeue(self, letters: Sequence[DeadLetter], now_ms: int) -> Effects:
        """Input: dead letters are to be delivered again. They stay dead letters until settled."""
        for letter in letters:
            position = letter.event.position
            if position not in self._events:
                self._events[position] = letter.event
                self._letters[position] = letter.id
                heapq.heappush(self._ready, position)
        return self._go_on()

    def saved(self, save: SaveGroup, now_ms: int) -> Effects:
        """Input: what was to be stored is durable."""
        self._is_saving = False
        del self._buried[: len(save.buried)]
        return self._go_on()

    def save_failed(self, save: SaveGroup, now_ms: int) -> Effects:
        """Input: it was not stored; tried again later."""
        self._is_saving = False
        self._must_save = True
        self._save_due_ms = now_ms + SAVE_RETRY_MS
        return ()

    def tick(self, now_ms: int) -> Effects:
        """Input: time."""
        if self._save_due_ms is not None and now_ms >= self._save_due_ms:
            self._save_due_ms = None
        return [*self._due(now_ms), *self._go_on()]

    def next_wake_ms(self) -> int | None:
        """Returns when an event is ready again, or what was not saved is tried again."""
        times = list(self._delayed.values()) if self._members else []
        if self._save_due_ms is not None:
            times.append(self._save_due_ms)
        return min(times, default=None)

    def _take(self, member: int, positions: Iterable[int]) -> None:
        held = self._members[member].held if member in self._members else set()
        strange = [one for one in positions if one not in held]
        if strange or len(set(positions)) < len(list(positions)):
            raise NotInFlightError(
                f"positions: {strange[:1] or 'one twice'}: not delivered on this stream, or settled"
            )
        held.difference_update(positions)

    def _settle(self, position: int) -> None:
        del self._events[position]
        self._refusals.pop(position, None)
        if self._letters.pop(position, None) is None and position > self.group.position:
            self._settled.add(position)

    def _move(self) -> None:
        """Moves the place of the group up to the first event that is not settled."""
        waiting = (one for one in self._events if one not in self._letters)
        place = next(waiting, self._read_to + 1) - 1
        if place > self.group.position:
            self.group = replace(self.group, position=place)
            self._settled = {one for one in self._settled if one > place}
            self._must_save = True

    def _drop_contents(self) -> None:
        """Keeps only what is known of events, which the next member has read again."""
        self._events = {at: one for at, one in self._events.items() if at in self._letters}
        self._ready = [at for at in self._ready if at in self._letters]
        heapq.heapify(self._ready)
        self._delayed = {at: due for at, due in self._delayed.items() if at in self._letters}
        self._read_to = self.group.position

    def _due(self, now_ms: int) -> Effects:
        for position in [at for at, due in self._delayed.items() if due <= now_ms]:
            del self._delayed[position]
            heapq.heappush(self._ready, position)
        return ()

    def _go_on(self) -> Effects:
        effects: list[GroupEffect] = []
        while self._ready and (member := self._freest()) is not None:
            position = heapq.heappop(self._ready)
            self._members[member].held.add(position)
            event = self._events[position]
            effects.append(Deliver(member, event, self._refusals.get(position, 0)))
        if self._may_fetch():
            self._is_fetching, self._has_news = True, False
            effects.append(Fetch(self._read_to))
        if self._must_save and not self._is_saving and self._save_due_ms is None:
            self._is_saving, self._must_save = True, False
            effects.append(SaveGroup(self.group, tuple(self._buried)))
        return effects

    def _freest(self) -> int | None:
        """Returns the member that has the most room, if any has."""
        best = max(
            self._members,
            key=lambda one: self._members[one].room - len(self._members[one].held),
            default=None,
        )
        if best is None or len(self._members[best].held) >= self._members[best].room:
            return None
        return best

    def _may_fetch(self) -> bool:
        if self._is_fetching or not self._has_news or not self._members:
            return False
        if len(self._events) >= WINDOW or len(self._settled) >= 2 * WINDOW:
            return False
        return sum(one.said.size for one in self._events.values()) < WINDOW_BYTES
