"""FOL-2: what waits is bounded in number and in bytes, whatever comes and goes."""

import pytest
from chain_blocks import identified
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.pending import MAX_BLOCKS, MAX_BYTES, Pending

steps = st.lists(st.tuples(st.sampled_from(["in", "put", "out", "away"]), st.integers(0, 6)))


@given(steps)
def test_room_is_what_was_taken_and_not_given_back(order: list[tuple[str, int]]) -> None:
    pending: Pending[int] = Pending(max_blocks=3, max_bytes=10)
    entered: list[int] = []
    held: dict[int, int] = {}

    for what, number in order:
        if what == "in":
            fits = len(entered) + len(held) < 3
            fits = fits and sum(entered) + sum(held.values()) + number <= 10
            assert pending.enter(number) == fits
            if fits:
                entered.append(number)
        elif what == "put" and entered and number not in held:
            held[number] = entered.pop()
            pending.put(identified(f"{number}"), number, held[number])
        elif what == "out":
            assert pending.take(identified(f"{number}")) == (number if number in held else None)
            held.pop(number, None)
        elif what == "away" and entered:
            pending.leave(entered.pop())

        assert len(pending) == len(entered) + len(held)
        assert pending.bytes == sum(entered) + sum(held.values())
        assert all(pending.get(identified(f"{each}")) == each for each in held)


def test_a_body_is_not_displaced_by_another_of_its_id() -> None:
    pending: Pending[int] = Pending()
    assert pending.enter(MAX_BYTES)
    pending.put(identified("a"), 1, MAX_BYTES)

    assert not pending.enter(1)
    with pytest.raises(ValueError, match="pending already"):
        pending.put(identified("a"), 2, 0)
    assert pending.clear() == [1]
    assert len(pending) == 0
    assert sum(pending.enter(0) for _ in range(MAX_BLOCKS + 1)) == MAX_BLOCKS
