"""RLN-18: a message id is handed out once an epoch, whatever ends the process."""

from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from logos_base.errors import DiskFullError
from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.errors import BudgetSpentError, TooManyWaitingError
from logos_mixnet.core.rln.message_ids import (
    KEPT_EPOCHS,
    MAX_WAITING,
    Effect,
    MessageIds,
    Purpose,
    Reserved,
    Save,
    Slot,
)

EPOCHS: Final = Epochs(10_000)
OWN, FORWARD, COVER = Purpose.OWN, Purpose.FORWARD, Purpose.COVER


class Rig:
    """A machine, its disk, and everything that was ever handed out."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.disk: dict[int, int] = {}
        self.floor = -1
        self.is_full = False
        self.now_ms = 5_000_000
        self.tickets = 0
        self.slots: list[Slot] = []
        self.answered: dict[Ticket, Slot] = {}
        self.refused: dict[Ticket, Exception] = {}
        self.writes = 0
        self.restart()

    def restart(self) -> None:
        """kill -9, and a start from what is on the disk."""
        stored = [Reserved(epoch, until) for epoch, until in self.disk.items()]
        self.ids = MessageIds(self.limit, EPOCHS, stored, self.floor)

    def take(self, purpose: Purpose) -> Ticket:
        self.tickets += 1
        ticket = Ticket(self.tickets)
        self.perform(self.ids.take(ticket, purpose, self.now_ms))
        return ticket

    def take_and_die(self, purpose: Purpose, *, is_written: bool) -> None:
        """A crash in the middle of a write: after it, or before."""
        self.tickets += 1
        for effect in self.ids.take(Ticket(self.tickets), purpose, self.now_ms):
            if isinstance(effect, Answer):
                self.perform([effect])
            if isinstance(effect, Save) and is_written:
                self.write(effect)
        self.restart()

    def wait(self, wait_ms: int) -> None:
        self.now_ms = max(0, self.now_ms + wait_ms)
        self.perform(self.ids.tick(self.now_ms))

    def write(self, save: Save) -> None:
        self.writes += 1
        self.disk[save.reserved.epoch] = save.reserved.until
        self.floor = save.floor
        self.disk = {epoch: until for epoch, until in self.disk.items() if epoch > self.floor}

    def perform(self, effects: Sequence[Effect]) -> None:
        todo = list(effects)
        while todo:
            effect = todo.pop(0)
            match effect:
                case Save() if self.is_full:
                    todo += self.ids.not_saved(effect, DiskFullError("full"), self.now_ms)
                case Save():
                    self.write(effect)
                    todo += self.ids.saved(effect, self.now_ms)
                case Answer(ticket, Slot() as slot):
                    assert slot.message_id < self.disk.get(slot.epoch, 0), "not durable before use"
                    self.answered[ticket] = slot
                    self.slots.append(slot)
                case Refuse(ticket, error):
                    self.refused[ticket] = error


def test_ids_are_counted_from_zero_in_the_present_epoch() -> None:
    rig = Rig(limit=3)

    slots = [rig.answered[rig.take(OWN)] for _ in range(3)]

    assert slots == [Slot(500, 0), Slot(500, 1), Slot(500, 2)]


def test_an_epochs_ids_cost_four_writes() -> None:
    rig = Rig(limit=100)

    for _ in range(100):
        rig.take(COVER)

    assert len(rig.slots) == 100
    assert rig.writes == 4


@pytest.mark.parametrize("purpose", [FORWARD, COVER])
def test_beyond_the_budget_a_forward_is_refused(purpose: Purpose) -> None:
    rig = Rig(limit=1)
    rig.take(purpose)

    ticket = rig.take(purpose)

    assert isinstance(rig.refused[ticket], BudgetSpentError)
    assert rig.ids.refused[purpose] == 1
    assert rig.ids.next_wake_ms() is None


def test_beyond_the_budget_a_message_of_our_own_waits_for_the_next_epoch() -> None:
    rig = Rig(limit=1)
    rig.take(FORWARD)
    ticket = rig.take(OWN)
    assert ticket not in rig.answered
    assert rig.ids.next_wake_ms() == 5_010_000
    assert rig.ids.deferred == 1

    rig.wait(10_000)

    assert rig.answered[ticket] == Slot(501, 0)
    assert rig.ids.next_wake_ms() is None


def test_r4_after_kill_9_no_id_is_handed_out_again() -> None:
    rig = Rig(limit=8)
    rig.take(OWN)
    rig.restart()

    rig.take(OWN)
    rig.take_and_die(OWN, is_written=True)
    rig.take_and_die(OWN, is_written=False)
    rig.take(OWN)

    assert rig.slots == [Slot(500, 0), Slot(500, 2), Slot(500, 3), Slot(500, 4)]


def test_a_full_disk_hands_out_nothing_and_says_so() -> None:
    rig = Rig(limit=4)
    rig.is_full = True

    tickets = [rig.take(purpose) for purpose in (OWN, FORWARD)]

    assert all(isinstance(rig.refused[ticket], DiskFullError) for ticket in tickets)
    rig.is_full = False
    assert rig.answered[rig.take(OWN)] == Slot(500, 0)


def test_a_clock_that_jumps_back_an_hour_repeats_no_id() -> None:
    rig = Rig(limit=2)
    rig.take(OWN)
    rig.wait(3_600_000)
    rig.take(OWN)

    rig.wait(-3_600_000)
    rig.take(OWN)
    ticket = rig.take(FORWARD)

    assert rig.slots == [Slot(500, 0), Slot(860, 0), Slot(500, 1)]
    assert isinstance(rig.refused[ticket], BudgetSpentError)


def test_after_a_clock_that_jumps_back_spent_epochs_are_not_waited_for() -> None:
    rig = Rig(limit=1)
    rig.take(OWN)
    rig.wait(10_000)
    rig.take(OWN)

    rig.wait(-10_000)
    rig.take(OWN)

    assert rig.ids.next_wake_ms() == 502 * 10_000


def test_what_is_remembered_of_epochs_is_bounded_and_never_an_id_forgotten() -> None:
    rig = Rig(limit=1)
    for _ in range(KEPT_EPOCHS + 50):
        rig.take(FORWARD)
        rig.wait(10_000)

    assert len(rig.disk) <= KEPT_EPOCHS
    rig.now_ms = 5_000_000
    ticket = rig.take(FORWARD)
    assert isinstance(rig.refused[ticket], BudgetSpentError)


def test_only_so_many_wait() -> None:
    rig = Rig(limit=1)
    rig.take(FORWARD)
    for _ in range(MAX_WAITING):
        rig.take(OWN)

    ticket = rig.take(OWN)

    assert isinstance(rig.refused[ticket], TooManyWaitingError)


def test_proofs_are_prepared_for_what_is_handed_out_next() -> None:
    rig = Rig(limit=3)
    rig.take(OWN)

    upcoming = rig.ids.upcoming(4, rig.now_ms)

    assert upcoming == [Slot(500, 1), Slot(500, 2), Slot(501, 0), Slot(501, 1)]
    rig.take(OWN)
    rig.take(OWN)
    rig.take(OWN)
    rig.wait(10_000)
    assert rig.slots[1:] == upcoming[:3]


class Lives(RuleBasedStateMachine):
    """Takes, crashes at every point, full disks and clocks that are set."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(limit=6)

    @rule(purpose=st.sampled_from(Purpose))
    def take(self, purpose: Purpose) -> None:
        self.rig.take(purpose)

    @rule(purpose=st.sampled_from(Purpose), is_written=st.booleans())
    def take_and_die(self, purpose: Purpose, is_written: bool) -> None:  # noqa: FBT001 -- Hypothesis gives it by name
        self.rig.take_and_die(purpose, is_written=is_written)

    @rule()
    def kill(self) -> None:
        self.rig.restart()

    @rule(wait_ms=st.integers(0, 15_000) | st.sampled_from([-3_600_000, 3_600_000, -10_000]))
    def wait(self, wait_ms: int) -> None:
        self.rig.wait(wait_ms)

    @rule(is_full=st.booleans())
    def fill(self, is_full: bool) -> None:  # noqa: FBT001 -- likewise
        self.rig.is_full = is_full

    @precondition(lambda self: self.rig.ids.next_wake_ms() is not None)
    @rule()
    def wake(self) -> None:
        wake_ms = self.rig.ids.next_wake_ms()
        assert wake_ms is not None
        waiting = len(self.rig.answered) + len(self.rig.refused)
        self.rig.now_ms = max(wake_ms, self.rig.now_ms)
        self.rig.perform(self.rig.ids.tick(self.rig.now_ms))
        assert len(self.rig.answered) + len(self.rig.refused) > waiting, "woke for nothing"

    @invariant()
    def no_id_is_handed_out_twice(self) -> None:
        assert len(set(self.rig.slots)) == len(self.rig.slots)
        assert all(0 <= slot.message_id < self.rig.limit for slot in self.rig.slots)


TestLives = pytest.mark.property(Lives.TestCase)
TestLives.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
