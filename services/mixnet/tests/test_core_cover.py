"""When loops are sent, and what a profile costs (MIX-21)."""

import math
from itertools import pairwise
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest

from logos_mixnet.core.mixing.cover import DEMO, LAPTOP, LIP, PROFILES, STRONG, Profile, Schedule


def times(profile: Profile, count: int) -> list[float]:
    schedule = Schedule(profile, Random(5), 0)  # noqa: S311
    found = []
    for _ in range(count):
        found.append(schedule.due_ms)
        assert schedule.take(schedule.due_ms)
    return found


@pytest.mark.parametrize(
    ("profile", "waiting"), [(DEMO, 0.07), (LAPTOP, 3.5), (STRONG, 7.0), (LIP, 0.35)]
)
def test_profiles_hide_as_many_packets_as_the_theory_says(profile: Profile, waiting: float) -> None:
    assert profile.expected_waiting == pytest.approx(waiting)
    assert PROFILES[profile.name] is profile


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_loops_cost_their_share_of_the_budget(profile: Profile) -> None:
    count = 20_000
    loops_an_epoch = count * profile.period_ms / times(profile, count)[-1]
    assert loops_an_epoch * (1 + profile.hops) == pytest.approx(
        profile.share * profile.limit, rel=0.02
    )


def test_poisson_pauses_have_no_memory() -> None:
    count, at = 20_000, times(LAPTOP, 20_001)
    pauses = sorted(after - before for before, after in pairwise(at))

    def law(pause_ms: float) -> float:
        return 1 - math.exp(-pause_ms / LAPTOP.mean_pause_ms)

    distance = max(abs(law(one) - place / count) for place, one in enumerate(pauses))
    assert distance < 1.63 / math.sqrt(count)  # Kolmogorov-Smirnov, p > 0.01


def test_a_constant_rate_is_one() -> None:
    at = times(LIP, 50)
    pauses = {round(after - before, 6) for before, after in pairwise(at)}
    assert pauses == {round(LIP.mean_pause_ms, 6)}
    assert 0 <= at[0] < LIP.mean_pause_ms


def test_after_a_standstill_one_loop_is_sent_and_not_all_that_were_missed() -> None:
    schedule = Schedule(STRONG, Random(5), 0)  # noqa: S311
    late_ms = 1_000_000
    assert schedule.take(late_ms)
    assert schedule.due_ms >= late_ms
    taken = sum(schedule.take(late_ms + passed) for passed in range(int(STRONG.mean_pause_ms)))
    assert taken < 10


def test_nothing_is_due_before_its_time() -> None:
    schedule = Schedule(LAPTOP, Random(5), 100)  # noqa: S311
    due_ms = schedule.due_ms
    assert not schedule.take(due_ms - 0.01)
    assert schedule.due_ms == due_ms
