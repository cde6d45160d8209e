"""What a tap's file may hold (MIX-32), and how sightings become crossings."""

import json

import pytest

from logos_anonymity.captures import (
    MAX_LINE_BYTES,
    CaptureError,
    Crossing,
    Sighting,
    joined,
    read_sightings,
    sizes,
)

LINE = {"time_ns": 5, "from": "a", "to": "b", "bytes": 4608, "seen": "sent"}


def test_lines_become_sightings_and_blank_ones_nothing() -> None:
    assert read_sightings([json.dumps(LINE), "\n", json.dumps(LINE | {"seen": "arrived"})]) == [
        Sighting(5, "a", "b", 4608, "sent"),
        Sighting(5, "a", "b", 4608, "arrived"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[" * 2_000,
        "[]",
        "{}",
        json.dumps(LINE | {"content": "x"}),
        json.dumps(LINE | {"time_ns": -1}),
        json.dumps(LINE | {"time_ns": True}),
        json.dumps(LINE | {"bytes": "4608"}),
        json.dumps(LINE | {"from": 1}),
        json.dumps(LINE | {"seen": "lost"}),
        json.dumps(LINE) + " " * MAX_LINE_BYTES,
    ],
)
def test_anything_else_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(CaptureError, match="line 2 "):
        read_sightings([json.dumps(LINE), line])


def seen(time_ms: int, kind: str, link: str = "ab", size: int = 4608) -> Sighting:
    return Sighting(time_ms * 1_000_000, link[0], link[1], size, kind)


def test_sightings_of_a_link_are_joined_in_their_order() -> None:
    sightings = [
        seen(0, "sent", "ba"),
        seen(1, "arrived", "ba"),
        seen(10, "sent"),
        seen(12, "sent"),
        seen(15, "arrived"),
        seen(16, "arrived"),
        seen(17, "sent", "ba"),
        seen(20, "sent"),
    ]
    assert joined(reversed(sightings)) == [
        Crossing(0, 1, "b", "a", 4608),
        Crossing(10, 15, "a", "b", 4608),
        Crossing(12, 16, "a", "b", 4608),
    ]


def test_a_lost_packet_is_not_taken_for_those_that_come_after_it() -> None:
    lost, later = seen(0, "sent"), [seen(3_000, "sent"), seen(3_004, "arrived")]

    assert joined([lost, *later]) == [Crossing(3_000, 3_004, "a", "b", 4608)]


def test_an_arrival_that_nothing_was_sent_for_is_left_out() -> None:
    assert joined([seen(1, "arrived"), seen(2, "sent"), seen(3, "arrived")]) == [
        Crossing(1, 2, "a", "b", 4608)
    ]
    assert joined([]) == []


def test_sizes_of_all_packets_are_told() -> None:
    assert sizes([seen(1, "sent"), seen(2, "sent", size=4909)]) == {4608, 4909}
