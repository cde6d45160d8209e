"""KER-37, KER-38: queue groups and dead letters."""

from collections import Counter
from typing import Any

import pytest
from event_store_contract import event
from hypothesis import given
from hypothesis import strategies as st

from logos_base.machine import Answer, Refuse, Ticket
from logos_kernel.core.events import (
    DeadLetter,
    Event,
    Group,
    NewEvent,
    NotInFlightError,
    Page,
    Removed,
)
from logos_kernel.core.gaps import Missed
from logos_kernel.core.queue_group import (
    MAX_REFUSALS,
    SAVE_RETRY_MS,
    WINDOW,
    Deliver,
    DropLetters,
    Fetch,
    QueueGroup,
    SaveGroup,
)

TICKET = Ticket(1)


class Rig:
    """A group, the log that it reads, what is stored, and its members."""

    def __init__(self, count: int = 0) -> None:
        self.log: list[Event] = [event(at, said=NewEvent(b"x")) for at in range(1, count + 1)]
        self.stored = Group("base/g", ("*",), 0, 0)
        self.letters: dict[int, DeadLetter] = {}
        self.is_broken = self.is_slow = False
        self.asked: int | None = None
        """The question to the log that waits, while that is slow."""
        self.held: dict[int, dict[int, int]] = {}
        """Positions that members have, and how often each was refused."""
        self.missed: list[Missed] = []
        self.now_ms = 0
        self.group = QueueGroup(self.stored)

    def restart(self) -> None:
        self.held, self.asked = {}, None
        self.group = QueueGroup(self.stored)

    def do(self, step: Any, *args: Any) -> None:
        """Gives an input, and performs what follows."""
        todo = list(step(*args, self.now_ms))
        while todo:
            todo += self._perform(todo.pop(0))

    def join(self, member: int, room: int = 4) -> None:
        self.held[member] = {}
        self.do(self.group.join, member, room, 7)

    def leave(self, member: int) -> None:
        del self.held[member]
        self.do(self.group.leave, member, 7)

    def ack(self, member: int, *positions: int) -> None:
        for position in positions:
            del self.held[member][position]
        self.do(self.group.ack, TICKET, member, positions)

    def nack(self, member: int, *positions: int, delay_ms: int = 0) -> None:
        for position in positions:
            del self.held[member][position]
        self.do(self.group.nack, TICKET, member, positions, delay_ms)

    def publish(self, count: int = 1) -> None:
        for _ in range(count):
            self.log.append(event(len(self.log) + 1, said=NewEvent(b"x")))
        self.do(self.group.news)

    def _read(self, after: int) -> Any:
        if self.is_broken:
            return self.group.fetch_failed(self.now_ms)
        found = self.log[after : after + 8]
        last = found[-1].position if found else len(self.log)
        return self.group.fetched(after, Page(tuple(found), last), self.now_ms)

    def read(self) -> None:
        """Answers the question to the log that waits, if one does."""
        after, self.asked = self.asked, None
        if after is not None:
            self.do(lambda _now_ms: self._read(after))

    def _perform(self, effect: Any) -> Any:
        match effect:
            case Fetch(after):
                if self.is_slow:
                    self.asked = after
                    return ()
                return self._read(after)
            case Deliver(member, one, refusals):
                assert all(one.position not in held for held in self.held.values())
                self.held[member][one.position] = refusals
            case Missed():
                self.missed.append(effect)
            case SaveGroup(group, buried):
                if self.is_broken:
                    return self.group.save_failed(effect, self.now_ms)
                assert group.position >= self.stored.position
                self.stored = group
                for one, refusals in buried:
                    id_ = len(self.letters) + 1
                    self.letters[id_] = DeadLetter(id_, group.name, one, refusals)
                return self.group.saved(effect, self.now_ms)
            case DropLetters(ids):
                for id_ in ids:
                    del self.letters[id_]
            case _:
                assert isinstance(effect, Answer | Refuse)
        return ()


def test_each_event_goes_to_one_member() -> None:
    """kernel.md 14.26."""
    rig = Rig(6)
    rig.join(1)
    rig.join(2)

    assert sorted([*rig.held[1], *rig.held[2]]) == list(range(1, 7))
    assert len(rig.held[1]) == 4


def test_the_place_moves_past_what_is_settled_and_no_further() -> None:
    rig = Rig(4)
    rig.join(1)

    rig.ack(1, 2, 3)
    assert rig.stored.position == 0
    rig.ack(1, 1)
    assert rig.stored.position == 3
    rig.ack(1, 4)
    assert rig.stored.position == 4


def test_what_a_member_held_goes_to_another() -> None:
    rig = Rig(2)
    rig.join(1)
    rig.join(2)
    rig.leave(1)

    assert sorted(rig.held[2]) == [1, 2]


def test_the_last_member_leaves_nothing_in_memory_but_what_is_settled() -> None:
    rig = Rig(4)
    rig.join(1)
    rig.ack(1, 2)
    rig.leave(1)
    assert not rig.group._events

    rig.join(2)

    assert sorted(rig.held[2]) == [1, 3, 4]


def test_a_refused_event_comes_again_after_its_delay() -> None:
    rig = Rig(1)
    rig.join(1)
    rig.nack(1, 1, delay_ms=500)
    assert rig.held[1] == {}
    assert rig.group.next_wake_ms() == 500

    rig.now_ms = 500
    rig.do(rig.group.tick)

    assert rig.held[1] == {1: 1}


def test_after_five_refusals_it_is_a_dead_letter_and_the_place_moves_on() -> None:
    """kernel.md 14.26."""
    rig = Rig(2)
    rig.join(1, room=1)
    for _ in range(MAX_REFUSALS):
        rig.nack(1, 1)

    assert rig.letters == {1: DeadLetter(1, "base/g", rig.log[0], MAX_REFUSALS)}
    assert rig.stored.position == 1
    assert rig.held[1] == {2: 0}


def test_a_requeued_letter_is_one_until_it_is_settled() -> None:
    rig = Rig(1)
    rig.join(1)
    for _ in range(MAX_REFUSALS):
        rig.nack(1, 1)
    letters = list(rig.letters.values())

    rig.do(rig.group.requeue, letters)
    assert rig.held[1] == {1: 0}
    for _ in range(MAX_REFUSALS):
        rig.nack(1, 1)
    assert list(rig.letters.values()) == letters
    rig.do(rig.group.requeue, letters)
    rig.do(rig.group.requeue, letters)
    rig.ack(1, 1)

    assert (rig.letters, rig.held[1], rig.stored.position) == ({}, {}, 1)


@pytest.mark.parametrize("positions", [[5], [1, 1], [1, 5]])
@pytest.mark.parametrize("member", [1, 2, 3])
def test_only_what_a_member_holds_can_be_settled(positions: list[int], member: int) -> None:
    rig = Rig(1)
    rig.join(1)
    rig.join(2)

    for step, more in ((rig.group.ack, ()), (rig.group.nack, (0,))):
        with pytest.raises(NotInFlightError):
            step(TICKET, member, positions, *more, 0)

    rig.ack(1, 1)
    assert rig.stored.position == 1


def test_what_is_not_stored_is_tried_again() -> None:
    rig = Rig(1)
    rig.join(1)
    rig.is_broken = True
    rig.ack(1, 1)
    assert rig.stored.position == 0

    rig.is_broken = False
    rig.now_ms = SAVE_RETRY_MS
    assert rig.group.next_wake_ms() == SAVE_RETRY_MS
    rig.do(rig.group.tick)

    assert rig.stored.position == 1


def test_what_cannot_be_read_is_read_with_the_next_news() -> None:
    rig = Rig(1)
    rig.is_broken = True
    rig.join(1)
    rig.is_broken = False
    rig.publish()

    assert sorted(rig.held[1]) == [1, 2]


def test_removed_events_are_told_once() -> None:
    group = QueueGroup(Group("base/g", ("*",), 0, 0))
    group.join(1, 1, 0, 0)
    page = Page((event(9, "base/x", 5),), 9, (Removed("base/x", 4, 8), Removed("base/y", 2, 3)))

    told = [one for one in group.fetched(0, page, 0) if isinstance(one, Missed)]

    assert told == [Missed("base/x", 0, 4), Missed("base/y", 0, 2)]
    later = Page((), 12, (Removed("base/x", 7, 11),))
    assert Missed("base/x", 6, 7) in group.fetched(9, later, 0)


def test_what_was_read_for_a_member_that_is_gone_skips_nothing() -> None:
    rig = Rig(4)
    rig.join(1)
    rig.is_slow = True
    rig.publish(2)
    assert rig.asked == 4
    rig.leave(1)
    rig.join(2, room=6)

    rig.is_slow = False
    rig.read()

    assert sorted(rig.held[2]) == [1, 2, 3, 4, 5, 6]


def test_a_requeued_letter_that_is_read_again_is_delivered_once() -> None:
    """After a restart, a letter may lie beyond the place of its group."""
    rig = Rig(2)
    rig.is_slow = True
    rig.join(1)
    rig.letters = {1: DeadLetter(1, "base/g", rig.log[0], MAX_REFUSALS)}
    rig.do(rig.group.requeue, list(rig.letters.values()))
    rig.is_slow = False
    rig.read()
    assert rig.held[1] == {1: 0, 2: 0}

    rig.ack(1, 1, 2)

    assert (rig.letters, rig.stored.position) == ({}, 2)


def test_a_window_is_bounded() -> None:
    rig = Rig(3 * WINDOW)
    rig.join(1, room=4)

    assert len(rig.group._events) == WINDOW


STEP = st.tuples(
    st.sampled_from(
        [
            "join",
            "leave",
            "ack",
            "ack",
            "nack",
            "publish",
            "restart",
            "break",
            "slow",
            "read",
            "time",
        ]
    ),
    st.integers(0, 3),
    st.integers(0, 8),
)


class History:
    """A group through a random history."""

    def __init__(self) -> None:
        self.rig = Rig(4)
        self.settled: set[int] = set()
        self.refused: Counter[int] = Counter()
        self.members = 0

    def step(self, what: str, which: int, amount: int) -> None:
        rig = self.rig
        having = sorted(rig.held)
        if what in {"leave", "ack", "nack"}:
            if having:
                self._of_member(what, having[which % len(having)], amount, 100 * which)
        elif what == "join":
            self.members += 1
            rig.join(self.members, which + 1)
        elif what == "publish":
            rig.publish(amount)
        elif what == "restart":
            rig.restart()
        elif what == "slow":
            rig.is_slow = not rig.is_slow
            rig.read()
        elif what == "read":
            rig.read()
        elif what == "break":
            rig.is_broken = not rig.is_broken
        else:
            self.pass_time(1000 * amount)

    def _of_member(self, what: str, member: int, amount: int, delay_ms: int) -> None:
        positions = sorted(self.rig.held[member])[:amount]
        if what == "leave":
            self.rig.leave(member)
        elif what == "ack" and positions:
            self.ack(member, positions)
        elif positions:
            self.refused.update(positions)
            self.rig.nack(member, *positions, delay_ms=delay_ms)

    def ack(self, member: int, positions: list[int]) -> None:
        self.settled.update(positions)
        self.rig.ack(member, *positions)

    def pass_time(self, ms: int) -> None:
        self.rig.now_ms += ms
        self.rig.do(self.rig.group.tick)

    def check(self) -> None:
        buried = {one.event.position for one in self.rig.letters.values()}
        assert set(range(1, self.rig.stored.position + 1)) <= self.settled | buried
        assert all(self.refused[one] >= MAX_REFUSALS for one in buried)

    def finish(self) -> None:
        self.rig.is_broken = self.rig.is_slow = False
        self.rig.read()
        self.rig.join(self.members + 1, 2)
        self.rig.publish(0)
        while any(self.rig.held.values()) or self.rig.group.next_wake_ms() is not None:
            for member in list(self.rig.held):
                if positions := list(self.rig.held[member]):
                    self.ack(member, positions)
            self.pass_time(3_600_000)


@pytest.mark.property
@given(st.lists(STEP, max_size=80))
def test_every_event_is_settled_or_a_dead_letter_in_the_end(steps: list[Any]) -> None:
    history = History()
    for step in steps:
        history.step(*step)
        history.check()

    history.finish()

    history.check()
    assert history.rig.stored.position == len(history.rig.log)
