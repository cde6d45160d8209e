"""What a tap writes: only what an observer of links sees, and no more than it may (MIX-32)."""

import json

import pytest

from logos_anonymity.captures import Crossing, joined, read_sightings
from logos_mixnet.core.mixing import taps
from logos_mixnet.core.mixing.taps import Tap


def test_lines_have_times_ends_sizes_and_nothing_else() -> None:
    tap = Tap("me", 0)
    tap.sent("you", 4909, 17)
    tap.arrived("you", 4909, 29)
    assert [json.loads(line) for line in tap.take().splitlines()] == [
        {"time_ns": 17, "from": "me", "to": "you", "bytes": 4909, "seen": "sent"},
        {"time_ns": 29, "from": "you", "to": "me", "bytes": 4909, "seen": "arrived"},
    ]
    assert tap.take() == b""


def test_the_taps_of_two_nodes_make_one_capture() -> None:
    one, other = Tap("one", 0), Tap("other", 0)
    one.sent("other", 4608, 5_000_000)
    other.arrived("one", 4608, 6_500_000)
    lines = (one.take() + other.take()).decode().splitlines()
    assert joined(read_sightings(lines)) == [Crossing(0, 1.5, "one", "other", 4608)]


def test_a_full_file_gets_no_more_lines() -> None:
    tap = Tap("me", taps.MAX_FILE_BYTES - 100)
    tap.sent("you", 4608, 1)
    tap.sent("you", 4608, 2)
    assert len(tap.take().splitlines()) == 1
    assert tap.skipped == 1
    full = Tap("me", taps.MAX_FILE_BYTES + 1)
    full.sent("you", 4608, 1)
    assert (full.take(), full.skipped) == (b"", 1)


def test_lines_that_were_not_written_are_counted_and_take_no_room() -> None:
    tap = Tap("me", taps.MAX_FILE_BYTES - 150)
    tap.sent("you", 4608, 1)

    tap.lost(tap.take())
    tap.sent("you", 4608, 2)

    assert (len(tap.take().splitlines()), tap.skipped) == (1, 1)


def test_lines_that_nobody_takes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps, "MAX_WAITING_BYTES", 200)
    tap = Tap("me", 0)
    for at in range(10):
        tap.sent("you", 4608, at)
    written = tap.take()
    assert len(written) <= 200
    assert tap.skipped == 10 - len(written.splitlines())
    tap.sent("you", 4608, 11)
    assert tap.take()
