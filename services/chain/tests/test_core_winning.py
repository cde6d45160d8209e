"""LEA-3, LEA-4: an epoch is searched in parts, all notes alike, and little is kept."""

import pytest
from chain_blocks import field, identified
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.winning import PART_SLOTS, Part, Winning

EPOCH = EpochState(1, identified("root"), field("nonce"), 1000)
FIRST, END = 10_000, 10_000 + 3 * PART_SLOTS
ONE, TWO, THREE = (field(each) for each in ("one", "two", "three"))


def winning(*notes: bytes) -> Winning:
    made = Winning(EPOCH, FIRST, END)
    made.enter(notes, 0)
    return made


def part(note: bytes, first: int, end: int) -> Part:
    return Part(EPOCH, note, first, end)


def test_all_notes_are_searched_as_far_before_any_goes_on() -> None:
    made, seen = winning(ONE, TWO), list[tuple[bytes, int]]()

    while (found := made.next_part(0)) is not None:
        seen.append((found.note, found.first))
        made.found(found, ())

    starts = range(FIRST, END, PART_SLOTS)
    assert seen == [(note, first) for first in starts for note in (ONE, TWO)]


@given(st.lists(st.integers(0, END + 10), max_size=40), st.integers(1, 3))
def test_each_slot_that_is_not_past_is_searched_once_for_each_note(
    times: list[int], count: int
) -> None:
    notes = (ONE, TWO, THREE)[:count]
    made, seen = winning(*notes), list[tuple[bytes, int]]()
    now = 0

    for each in [*times, *[0] * 20]:
        now = max(now, each)
        found = made.next_part(now)
        if found is not None:
            assert max(now, FIRST) <= found.first < found.end <= END
            assert found.end - found.first <= PART_SLOTS
            seen += [(found.note, slot) for slot in range(found.first, found.end)]
            made.found(found, ())

    assert len(seen) == len(set(seen))
    assert {(note, slot) for note in notes for slot in range(max(now, FIRST), END)} <= set(seen)


def test_slots_come_in_their_order_with_all_their_notes() -> None:
    made = winning(ONE, TWO)
    made.found(part(ONE, FIRST, END), [FIRST + 9, FIRST + 12])
    made.found(part(TWO, FIRST, END), [FIRST + 3, FIRST + 9])
    made.found(part(TWO, FIRST, END), [FIRST + 9])

    assert (made.first, len(made)) == (FIRST + 3, 4)
    assert made.take() == (FIRST + 3, [TWO])
    assert made.take() == (FIRST + 9, [ONE, TWO])
    assert made.take() == (FIRST + 12, [ONE])
    assert made.first is None
    assert len(made) == 0


def test_what_was_found_for_another_chain_or_another_note_is_dropped() -> None:
    made = winning(ONE)
    other = EpochState(1, identified("root"), field("another nonce"), 1000)

    made.found(Part(other, ONE, FIRST, END), [FIRST])
    made.found(part(TWO, FIRST, END), [FIRST])

    assert made.first is None


def test_a_note_that_comes_back_is_searched_again() -> None:
    made = winning(ONE)
    made.found(part(ONE, FIRST, FIRST + PART_SLOTS), [FIRST + 5])
    made.enter([], 0)
    assert made.next_part(0) is None

    made.enter([ONE], FIRST + 3)

    assert made.next_part(0) == part(ONE, FIRST + 3, FIRST + 3 + PART_SLOTS)


def test_the_search_waits_while_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_chain.core.winning.MAX_WINS", 2)
    made = winning(ONE)
    made.found(part(ONE, FIRST, FIRST + 10), [FIRST, FIRST + 1])

    assert made.next_part(0) is None
    made.take()
    assert made.next_part(0) is not None
