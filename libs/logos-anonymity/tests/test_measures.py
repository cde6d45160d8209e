import math
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest

from logos_anonymity.measures import (
    advantage,
    area,
    chi_square,
    entropy_bits,
    hit_rate_at,
    kolmogorov,
    kolmogorov_two,
    mean,
    min_entropy_bits,
    share,
)


@pytest.mark.parametrize(
    ("shares", "entropy", "least"),
    [([1.0], 0.0, 0.0), ([0.25] * 4, 2.0, 2.0), ([0.5, 0.25, 0.25], 1.5, 1.0), ([1.0, 0.0], 0, 0)],
)
def test_entropies_of_small_distributions(
    shares: list[float], entropy: float, least: float
) -> None:
    assert entropy_bits(shares) == pytest.approx(entropy)
    assert min_entropy_bits(shares) == pytest.approx(least)


def test_wilsons_interval_has_published_values() -> None:
    # Newcombe 1998, table I: 81 of 263, and 0 of 20.
    found, none = share(81, 263), share(0, 20)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    assert (none.low, round(none.high, 4)) == (0, 0.1611)
    assert found.holds(0.3)
    assert not none.holds(0.2)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng, held, means = Random(1), 0, 0  # noqa: S311
    for _ in range(1_000):
        held += share(sum(rng.random() < 0.3 for _ in range(100)), 100).holds(0.3)
        means += mean([rng.random() for _ in range(100)]).holds(0.5)
    assert 920 <= held <= 975
    assert 920 <= means <= 975


def test_an_advantage_is_none_for_a_coin_and_one_for_certainty() -> None:
    assert advantage(50, 100).value == 0
    assert advantage(50, 100).holds(0)
    assert advantage(100, 100).value == 1
    assert advantage(100, 100).low > 0.9


def test_the_area_counts_pairs_in_the_right_order() -> None:
    assert area([3, 4], [1, 2]).value == 1
    assert area([1, 2], [3, 4]).value == 0
    assert area([1, 2], [1, 2]).value == 0.5
    assert area([5, 5], [5, 5]).value == 0.5
    first, second = [1.0, 2.5, 2.5, 4.0], [0.5, 2.5, 3.0]
    pairs = [(one > other) + (one == other) / 2 for one in first for other in second]
    assert area(first, second).value == pytest.approx(sum(pairs) / len(pairs))


def test_the_hit_rate_is_that_of_the_threshold_for_so_many_false_alarms() -> None:
    negatives = [float(each) for each in range(100)]
    assert hit_rate_at(0.01, [98.5, 99.5, 50.0, 10.0], negatives).value == 0.5
    assert hit_rate_at(0.5, [98.5, 99.5, 50.0, 10.0], negatives).value == 0.75


def test_kolmogorovs_tests_accept_the_right_law_and_no_other() -> None:
    rng = Random(2)  # noqa: S311
    samples = [-math.log1p(-rng.random()) for _ in range(2_000)]
    others = [-math.log1p(-rng.random()) for _ in range(2_000)]
    assert kolmogorov(samples, lambda at: 1 - math.exp(-at)) > 0.01
    assert kolmogorov(samples, lambda at: 1 - math.exp(-at / 1.2)) < 1e-4
    assert kolmogorov_two(samples, others) > 0.01
    assert kolmogorov_two(samples, [1.2 * each for each in others]) < 1e-4
    assert kolmogorov_two(samples, samples) == 1


def test_kolmogorovs_tail_has_published_values() -> None:
    # 1.358 and 1.628 are the critical values of 5 % and 1 %.
    count = 10_000
    for scaled, expected in ((1.358, 0.05), (1.628, 0.01)):
        shift = scaled / math.sqrt(count)
        samples = [(place + 0.5) / count for place in range(count)]
        found = kolmogorov(samples, lambda at, by=shift: min(1.0, at + by))
        assert found == pytest.approx(expected, rel=0.05)


def test_chi_square_has_published_values() -> None:
    # Critical values of 5 % for 10 and 255 degrees of freedom: 18.307 and 293.25.
    assert _p_of(18.307, 10) == pytest.approx(0.05, rel=0.03)
    assert _p_of(293.25, 255) == pytest.approx(0.05, rel=0.03)
    assert chi_square([100] * 10, [100.0] * 10) > 0.999


def _p_of(statistic: float, freedom: int) -> float:
    """Counts of that statistic: one is off by what gives all of it, in two cells."""
    due = 1_000_000
    off = math.sqrt(statistic * due / 2)
    counts = [due] * (freedom + 1)
    counts[0], counts[1] = round(due + off), round(due - off)
    return chi_square(counts, [float(due)] * len(counts))
