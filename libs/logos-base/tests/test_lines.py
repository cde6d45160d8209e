"""Pieces of a stream, cut into lines."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from logos_base.lines import LineCutter

CONTENT = st.binary(max_size=200).map(lambda raw: raw.replace(b"a", b"\n"))


@given(CONTENT, st.lists(st.integers(0, 200)), st.integers(1, 50))
def test_lines_are_the_same_however_they_come_and_cut_to_the_most(
    content: bytes, cuts: list[int], max_bytes: int
) -> None:
    cutter, edges = LineCutter(max_bytes), sorted({0, len(content), *cuts})
    pieces = [content[start:end] for start, end in pairwise(edges)]

    lines = [line for piece in pieces for line in cutter.feed(piece)]

    assert [*lines, cutter.flush()] == [line[:max_bytes] for line in content.split(b"\n")]
