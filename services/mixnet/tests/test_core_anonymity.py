"""What a node says of the anonymity it gives (MIX-33, MIX-35); the simulation checks figures."""

import math
from itertools import pairwise

import pytest

from logos_mixnet.core.mixing.anonymity import NOTHING, Floor, Occupancy, Words, statement
from logos_mixnet.core.mixing.cover import DEMO, LAPTOP, LIP, PROFILES, STRONG, Profile
from logos_mixnet.core.mixing.errors import AnonymityTooLowError


@pytest.mark.parametrize(
    ("profile", "mixes", "words"),
    [
        (DEMO, 20, Words.NONE),
        (DEMO, 5, Words.NONE),
        (LIP, 20, Words.LOW),
        (LAPTOP, 5, Words.FAIR),
        (LAPTOP, 20, Words.GOOD),
        (STRONG, 5, Words.GOOD),
        (STRONG, 20, Words.GOOD),
    ],
)
def test_profiles_are_said_to_hide_what_they_hide(
    profile: Profile, mixes: int, words: Words
) -> None:
    said = statement(profile, mixes, None)
    assert said.words is words
    assert said.waiting == profile.expected_waiting


@pytest.mark.parametrize("mixes", [0, 1, 4])
def test_where_nothing_was_measured_nothing_is_stated(mixes: int) -> None:
    assert statement(STRONG, mixes, None) == NOTHING
    assert NOTHING.words is Words.NONE


def test_a_node_that_is_cut_off_states_nothing() -> None:
    assert statement(STRONG, 20, 7.0, is_cut_off=True) == NOTHING


def test_the_worse_of_promise_and_finding_counts() -> None:
    promised = statement(STRONG, 20, None)
    assert statement(STRONG, 20, 50.0) == promised
    poor = statement(STRONG, 20, 0.5)
    assert poor.waiting == 0.5
    assert poor.entropy_bits < promised.entropy_bits
    assert statement(STRONG, 20, 0.0) == NOTHING


@pytest.mark.parametrize("mixes", [5, 7, 8, 19, 20, 60, 500])
def test_more_packets_hide_better_without_steps(mixes: int) -> None:
    found = [statement(STRONG, mixes, 7 * part / 1_000) for part in range(1_001)]
    for one, other in pairwise(found):
        assert 0 < other.entropy_bits - one.entropy_bits < 0.1
        assert 0 < one.best_guess - other.best_guess < 0.05
    assert found[0] == NOTHING


def test_more_mixes_hide_no_worse() -> None:
    for profile in PROFILES.values():
        found = [statement(profile, mixes, None) for mixes in range(5, 100)]
        bits = [one.entropy_bits for one in found]
        assert bits == sorted(bits)


def test_what_waits_is_averaged_over_ten_delays() -> None:
    seen = Occupancy(STRONG, 0)
    for at in range(0, 400_000, 1_000):
        seen.holds(4 + 6 * (at // 1_000 % 2), at)  # 4 and 10 in turns
    assert seen.mean(400_000) == pytest.approx(7, abs=0.3)
    seen.holds(0, 400_000)
    assert seen.mean(420_000) == pytest.approx(7 / 2.718, abs=0.3)
    assert seen.mean(700_000) == pytest.approx(0, abs=0.01)


def test_in_the_beginning_there_is_nothing_to_go_by() -> None:
    seen = Occupancy(LAPTOP, 5_000)
    seen.holds(3, 5_000)
    assert seen.mean(100_000) is None
    assert seen.mean(105_000) == pytest.approx(3)
    assert seen.mean(0) is None  # a clock that went back


def test_a_floor_warns_or_refuses_below_it() -> None:
    """MIX-35."""
    found = statement(LAPTOP, 5, None)
    for bits in (0, found.entropy_bits):
        assert not Floor(bits, is_firm=True).is_above(found)
    for bits in (found.entropy_bits + 0.1, math.inf, math.nan):
        assert Floor(bits).is_above(found)
        with pytest.raises(AnonymityTooLowError):
            Floor(bits, is_firm=True).is_above(found)


def test_while_the_alarm_is_on_everything_is_below_a_floor() -> None:
    """MIX-34, MIX-35."""
    assert Floor(0.1).is_above(statement(LAPTOP, 5, None, is_cut_off=True))
