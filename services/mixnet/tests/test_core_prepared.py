"""RLN-25: for which ids proofs are prepared, and when a preparation is dropped."""

from typing import Any

import pytest

pytest.importorskip("logos_native")

from hypothesis import given, settings
from hypothesis import strategies as st

from logos_base.machine import Answer, Ticket
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.message_ids import MessageIds, Purpose, Save, Slot
from logos_mixnet.core.rln.prepared import MAX_PREPARED, Departures, ProofPool, Ready

EPOCHS = Epochs()
PERIOD = EPOCHS.period_ms
NOW_MS = 500 * PERIOD
ROOT, LATER = b"r" * 32, b"l" * 32


class Rig:
    """A budget, a pool, and a prover that takes no time."""

    def __init__(self, limit: int = 10) -> None:
        self.now_ms = NOW_MS
        self.roots = (ROOT,)
        self.ids = MessageIds(limit, EPOCHS)
        self.pool = ProofPool(EPOCHS, limit)

    def use(self) -> tuple[Slot, bool]:
        """Spends an id; says whether its proof was prepared."""
        effects: list[Any] = list(self.ids.take(Ticket(1), Purpose.FORWARD, self.now_ms))
        for effect in effects:
            if isinstance(effect, Save):
                effects += self.ids.saved(effect, self.now_ms)
        [slot] = [each.value for each in effects if isinstance(each, Answer)]
        assert isinstance(slot, Slot)
        return slot, self.pool.take(slot, self.roots) is not None

    def prepare(self, departures: Departures | None = None) -> list[Slot]:
        made = []
        self.pool.keep(self.ids, self.roots, self.now_ms)
        while (slot := self.pool.missing(self.ids, self.now_ms, departures)) is not None:
            made.append(slot)
            self.pool.put(slot, Ready(self.roots[0], None))  # type: ignore[arg-type]  # no proof
        return made


def test_nothing_is_prepared_for_a_module_at_rest() -> None:
    rig = Rig()

    assert rig.prepare() == []
    assert rig.use() == (Slot(500, 0), False)
    assert rig.prepare() == [Slot(500, 1), Slot(500, 2)]
    assert rig.use() == (Slot(500, 1), True)


def test_as_many_are_prepared_as_were_used_and_half_more() -> None:
    rig = Rig()
    for _ in range(6):
        rig.use()
    rig.now_ms += PERIOD

    assert rig.prepare() == [Slot(501, at) for at in range(10)]
    rig.now_ms += PERIOD
    assert rig.prepare() == [Slot(502, at) for at in range(10)]
    rig.now_ms += PERIOD
    assert rig.prepare() == []


def test_in_an_epochs_course_they_are_more_and_more_of_the_next() -> None:
    rig = Rig()
    for _ in range(4):
        rig.use()  # so 7 are prepared

    shares = []
    for part in (0, PERIOD // 2, PERIOD - 1):
        rig.now_ms = NOW_MS + part
        rig.prepare()
        epochs = [slot.epoch for slot in rig.pool.slots]
        shares.append((epochs.count(500), epochs.count(501)))

    assert shares == [(6, 0), (6, 3), (6, 6)]
    rig.now_ms = NOW_MS + PERIOD
    assert rig.use() == (Slot(501, 0), True)


def test_what_cannot_be_used_is_dropped() -> None:
    rig = Rig()
    rig.use()
    rig.prepare()
    rig.roots = (LATER, ROOT)
    rig.prepare()
    assert len(rig.pool) == 2  # the older root is still accepted

    rig.roots = (LATER,)
    rig.pool.keep(rig.ids, rig.roots, rig.now_ms)
    assert len(rig.pool) == 0

    rig.prepare()
    rig.now_ms += PERIOD
    rig.pool.keep(rig.ids, rig.roots, rig.now_ms)
    assert len(rig.pool) == 0


def test_a_preparation_under_a_root_too_old_is_not_used() -> None:
    rig = Rig()
    rig.use()
    rig.prepare()
    rig.roots = (LATER,)

    assert rig.use() == (Slot(500, 1), False)
    assert (rig.pool.found, rig.pool.not_found) == (0, 2)


@pytest.mark.parametrize("jump_ms", [3_600_000, -3_600_000])
def test_a_clock_that_jumps_leaves_nothing_of_the_epochs_before(jump_ms: int) -> None:
    rig = Rig()
    rig.use()
    rig.prepare()

    rig.now_ms += jump_ms
    rig.prepare()

    assert rig.pool.slots == []
    assert rig.use() == (Slot(500 + jump_ms // PERIOD, 0), False)


@pytest.mark.property
@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 600),
    steps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 25_000)), max_size=12),
)
def test_never_more_than_the_goal_of_two_epochs_and_never_one_that_was_used(
    limit: int, steps: list[tuple[int, int]]
) -> None:
    rig, used, goal = Rig(limit), set(), 0
    for count, passed_ms in steps:
        for _ in range(min(count, rig.ids.left(rig.now_ms))):
            slot, _ = rig.use()
            assert slot not in used
            used.add(slot)
        rig.prepare()
        assert not used & set(rig.pool.slots)
        goal = max(goal, rig.pool.goal)  # it falls when what was used is long ago
        assert len(rig.pool) <= 2 * goal <= 2 * min(limit, MAX_PREPARED)
        rig.now_ms += passed_ms


def test_where_it_is_known_what_leaves_so_many_are_prepared() -> None:
    rig, leave_ms = Rig(), [NOW_MS + 1, NOW_MS + PERIOD - 1, NOW_MS + PERIOD, NOW_MS + 2 * PERIOD]

    def departures(until_ms: int) -> int:
        return sum(each < until_ms for each in leave_ms)

    assert rig.prepare(departures) == [Slot(500, 0), Slot(500, 1), Slot(501, 0)]


def test_one_more_is_prepared_where_others_have_left_than_those_that_were_known() -> None:
    rig = Rig()

    def none(_until_ms: int) -> int:
        return 0

    assert (rig.use(), rig.prepare(none)) == ((Slot(500, 0), False), [])
    assert (rig.use(), rig.prepare(none)) == ((Slot(500, 1), False), [Slot(500, 2)])
    rig.now_ms += 2 * PERIOD
    assert rig.prepare(none) == [Slot(502, 0)]
    rig.now_ms += PERIOD
    assert rig.prepare(none) == []
