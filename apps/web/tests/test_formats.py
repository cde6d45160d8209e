"""Formats, words and charts: tables, and what holds for every input."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_app.shown import charts, formats, words


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (49_766, "48.6 KiB"),
        (1024**2 - 1, "1 MiB"),
        (252 * 1024**2, "252 MiB"),
        (int(1.9 * 1024**3), "1.9 GiB"),
        (None, "?"),
    ],
)
def test_sizes(count: int | None, text: str) -> None:
    assert formats.size(count) == text


@given(st.integers(0, 2**64))
def test_a_size_has_at_most_four_figures_and_a_unit(count: int) -> None:
    value, unit = formats.size(count).split(" ")

    assert unit in {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
    assert len(value.replace(".", "").replace(",", "")) <= 4


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (0.52, "0.52 ms"),
        (41, "41 ms"),
        (999.4, "999 ms"),
        (999.6, "1 s"),
        (3600, "3.6 s"),
        (59_949, "59.9 s"),
        (59_960, "1 min 00 s"),
        (125_000, "2 min 05 s"),
        (3_780_000, "1 h 03 min"),
        (187_200_000, "2 d 4 h"),
        (None, "?"),
    ],
)
def test_durations(ms: float | None, text: str) -> None:
    assert formats.duration(ms) == text


@given(st.integers(1, 2**50), st.data())
def test_a_hundred_percent_says_that_nothing_is_lacking(total: int, data: st.DataObject) -> None:
    done = data.draw(st.integers(0, total))

    assert (formats.percent(done, total) == "100 %") == (done == total)


def test_amounts_are_in_one_unit() -> None:
    assert formats.amount(412 * 1024**2, 664 * 1024**2) == "412 of 664 MiB"
    assert formats.amount(0, 812) == "0 of 812 B"
    assert formats.amount(1024, 2 * 1024**3) == "1 KiB of 2 GiB"


@pytest.mark.parametrize(
    ("value", "text"), [(9204, "9,204"), (38.42, "38.4"), (0.524, "0.52"), (214.4, "214"), (0, "0")]
)
def test_numbers(value: float, text: str) -> None:
    assert formats.number(value) == text


def test_times_are_clock_times() -> None:
    at = datetime(2026, 11, 28, 14, 2, 31, 204_999, UTC)

    assert formats.clock(at, at) == "14:02:31"
    assert formats.clock(at, datetime(2026, 11, 29, tzinfo=UTC)) == "28 Nov 14:02"
    assert formats.clock(at, datetime(2027, 1, 1, tzinfo=UTC)) == "28 Nov 2026 14:02"
    assert formats.moment(at) == "14:02:31.204"


@given(st.text())
def test_no_control_or_direction_passes(text: str) -> None:
    seen = formats.shown(text)

    assert not any(ord(letter) < 0x20 or 0x202A <= ord(letter) <= 0x202E for letter in seen)
    assert "\u2066" not in seen


def test_long_texts_are_cut() -> None:
    assert len(formats.shown("x" * 1000)) == 201
    assert formats.shown("a\nb\u202ec") == "a␊b[U+202E]c"


def test_words() -> None:
    assert words.counted(5, "node") == "five nodes"
    assert words.counted(1, "node") == "one node"
    assert words.counted(13, "entry", "entries") == "13 entries"
    assert [words.ordinal(n) for n in (1, 3, 11, 12, 21, 113)] == [
        "first", "third", "11th", "12th", "21st", "113th",
    ]  # fmt: skip
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert not words.listed([])


@given(st.floats(0, 1e12))
def test_the_top_of_an_axis_is_near_and_not_below(value: float) -> None:
    top = charts.nice_top(value)

    assert top >= value
    assert value <= 0 or top <= max(value * 10, 1)


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=50))
def test_a_line_stays_in_its_box(values: list[float]) -> None:
    top = charts.nice_top(max(values))
    points = [
        tuple(map(float, pair.split(",")))
        for pair in charts.polyline(values, width=100, height=50, top=top).split(" ")
    ]

    assert len(points) == len(values)
    assert all(0 <= x <= 100.05 and 0 <= y <= 50 for x, y in points)


@given(st.lists(st.booleans(), max_size=200))
def test_parts_of_a_bar_cover_what_is_held(held: list[bool]) -> None:
    parts = charts.runs(held)

    assert sum(part.width for part in parts) == pytest.approx(
        100 * sum(held) / max(len(held), 1), abs=0.01
    )
