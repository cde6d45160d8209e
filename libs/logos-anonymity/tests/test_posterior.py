"""Observers on captures so small that the answer can be worked out by hand."""

import math

import pytest

from logos_anonymity.captures import Crossing
from logos_anonymity.model import Law
from logos_anonymity.posterior import Corruption, Staged, Start, Unstaged

LAW = Law(mean_delay_ms=100, mean_pause_ms=400)


def crossing(at: float, sender: str, receiver: str) -> Crossing:
    return Crossing(at, at + 1, sender, receiver, 4608)


ALONE = [crossing(0, "s", "a"), crossing(50, "a", "b"), crossing(120, "b", "d")]
START = Start("s", 0, 0)
"""The target is the first crossing of a capture."""


def test_a_packet_that_is_alone_is_found() -> None:
    assert Staged(ALONE, [1, 2, 3], LAW).exits(START) == {2: 1}
    assert Unstaged(ALONE, LAW).exits(START) == {2: 1}


CROWDED = [
    crossing(0, "s", "a"),
    crossing(10, "t", "a"),
    crossing(50, "a", "b"),
    crossing(60, "a", "c"),
    crossing(200, "b", "d"),
    crossing(210, "c", "e"),
]


def test_of_two_packets_in_a_mix_each_is_as_likely_to_leave_first() -> None:
    found = Staged(CROWDED, [1, 1, 2, 2, 3, 3], LAW).exits(START)
    assert found == pytest.approx({4: 0.5, 5: 0.5})


def test_an_exit_is_no_packet_that_waits_where_hops_are_known() -> None:
    crossings = [*CROWDED[:1], crossing(5, "x", "a"), *CROWDED[2:]]
    hops = [1, 3, 2, 2, 3, 3]
    assert Staged(crossings, hops, LAW).exits(START) == {4: 1}


def test_without_hops_the_delay_is_weighed_against_all_other_reasons_to_send() -> None:
    """A target and a packet that may have ended: two departures, on to two ends."""
    found = Unstaged(CROWDED, LAW).exits(START)
    assert found.keys() == {4, 5}
    assert sum(found.values()) == pytest.approx(1)
    assert found[5] > found[4]  # the other one has probably left first: less is left to explain it


def test_the_intensity_of_a_node_is_that_of_loops_and_of_what_waits() -> None:
    """One packet came 49 ms before the departure; with 2/3 it was to go on."""
    law = Law(mean_delay_ms=100, mean_pause_ms=400)
    [(number, weight)] = Unstaged(ALONE[:2], law).after(0, 1)
    # Alone in its mix, beside it there are only loops: 100 / 400 in a mean delay.
    assert number == 1
    assert weight == pytest.approx(math.exp(-0.49) / 0.25)


def test_no_path_leads_back_to_its_sender_or_to_a_mix_it_has_passed() -> None:
    crossings = [
        crossing(0, "s", "a"),
        crossing(40, "x", "b"),
        crossing(45, "y", "b"),
        crossing(50, "a", "b"),
        crossing(100, "b", "s"),
        crossing(110, "b", "a"),
        crossing(120, "b", "d"),
    ]
    assert Unstaged(crossings, LAW).exits(START) == {6: 1}
    assert Staged(crossings, [1, 2, 2, 2, 3, 3, 3], LAW).exits(START) == {6: 1}


def test_a_message_is_followed_from_when_its_user_gave_it() -> None:
    crossings = [
        crossing(10, "s", "a"),
        crossing(60, "s", "c"),
        crossing(100, "a", "b"),
        crossing(110, "c", "e"),
        crossing(300, "b", "d"),
        crossing(310, "e", "f"),
    ]
    found = Staged(crossings, [1, 1, 2, 2, 3, 3], LAW).exits(Start("s", 0))
    first, second = math.exp(-0.10), math.exp(-0.60)
    assert found == pytest.approx({4: first / (first + second), 5: second / (first + second)})


def test_what_left_before_is_no_candidate() -> None:
    assert Staged(ALONE, [1, 2, 3], LAW).exits(Start("s", 5)) == {}
    assert Unstaged(ALONE, LAW).exits(Start("nobody", 0)) == {}


@pytest.mark.parametrize("hops_are_known", [True, False])
def test_a_corrupted_mix_tells_where_a_packet_went(hops_are_known: bool) -> None:  # noqa: FBT001
    told = Corruption(frozenset({"a"}), onward={0: 3, 1: 2})
    observer = (
        Staged(CROWDED, [1, 1, 2, 2, 3, 3], LAW, told)
        if hops_are_known
        else Unstaged(CROWDED, LAW, told)
    )
    assert observer.exits(START) == {5: 1}


def test_what_corrupted_nodes_sent_themselves_hides_nothing() -> None:
    told = Corruption(frozenset({"t"}), own=frozenset({1, 3, 5}))
    assert Staged(CROWDED, [1, 1, 2, 2, 3, 3], LAW, told).exits(START) == {4: 1}
