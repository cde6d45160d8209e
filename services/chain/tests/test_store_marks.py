"""CHS-12: which blocks are final, in memory."""

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.consensus.types import BlockId
from logos_chain.store.marks import FinalMarks

blocks = st.lists(st.integers(0, 300), max_size=400)


def block(number: int) -> BlockId:
    return BlockId(blake2b(number.to_bytes(4, "big"), digest_size=32).digest())


@given(filled=st.sets(st.integers(0, 300)), added=blocks)
def test_those_that_were_added_are_found_and_no_others(filled: set[int], added: list[int]) -> None:
    marks = FinalMarks()
    marks.fill(block(each) for each in filled)
    marks.order()

    for each in added:
        marks.add(block(each))

    wanted = filled | set(added)
    assert {each for each in range(400) if block(each) in marks} == wanted
    assert len(marks) == len(wanted)


def test_a_block_takes_nine_bytes_at_most() -> None:
    marks = FinalMarks()
    marks.fill(block(each) for each in range(100_000))
    marks.order()
    for each in range(100_000, 120_000):
        marks.add(block(each))

    held = sum(row.buffer_info()[1] * row.itemsize for row in marks._rows)
    taken = sum(row.__sizeof__() for row in marks._rows)
    assert held == 8 * len(marks)
    assert taken <= 9.5 * len(marks)


def test_marks_are_those_of_one_process() -> None:
    """So that none can be aimed at."""
    assert FinalMarks()._mark(block(1)) != FinalMarks()._mark(block(1))
