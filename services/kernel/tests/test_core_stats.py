"""KER-43: figures from samples."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.core.exposition import Sample
from logos_kernel.core.stats import (
    HANDLED,
    IN_FLIGHT,
    MAX_METHODS,
    SECONDS,
    MethodStats,
    in_flight_of,
    methods_of,
    quantile,
)


def bucket(method: str, bound: str, count: float) -> Sample:
    return SECONDS, {"method": method, "le": bound}, count


def test_methods_have_calls_failures_and_times() -> None:
    samples: list[Sample] = [
        (HANDLED, {"method": "/a.B/Get", "code": "OK"}, 98.0),
        (HANDLED, {"method": "/a.B/Get", "code": "NOT_FOUND"}, 1.0),
        (HANDLED, {"method": "/a.B/Get", "code": "INTERNAL"}, 1.0),
        (HANDLED, {"method": "/a.B/Stream", "code": "OK"}, 3.0),
        bucket("/a.B/Get", "0.1", 60),
        bucket("/a.B/Get", "+Inf", 100),
        bucket("/a.B/Get", "1.0", 99),
        ("other", {"method": "/a.B/Get"}, 5.0),
    ]

    assert methods_of(samples) == (
        MethodStats("a.B/Get", 100, 2, 0.1, 1.0),
        MethodStats("a.B/Stream", 3, 0, 0.0, 0.0),
    )


def test_what_makes_no_sense_is_left_out() -> None:
    samples: list[Sample] = [
        (HANDLED, {}, 5.0),
        (HANDLED, {"method": "/a.B/C"}, math.nan),
        (HANDLED, {"method": "/a.B/C"}, math.inf),
        (HANDLED, {"method": "/a.B/C"}, -1.0),
        bucket("/a.B/D", "wide", 5),
    ]

    assert methods_of(samples) == ()


def test_of_too_many_methods_those_with_most_calls_are_kept() -> None:
    samples: list[Sample] = [
        (HANDLED, {"method": f"/m{number:03}", "code": "OK"}, float(number))
        for number in range(300)
    ]

    kept = methods_of(samples)

    assert [one.calls for one in kept] == list(range(300 - MAX_METHODS, 300))


@pytest.mark.parametrize(
    ("value", "expected"), [(3.0, 3), (0.0, 0), (-1.0, None), (math.nan, None), (1e300, None)]
)
def test_calls_in_flight_are_counted(value: float, expected: int | None) -> None:
    assert in_flight_of([(IN_FLIGHT, {}, value)]) == expected
    assert in_flight_of([]) is None


bounds = st.lists(st.integers(1, 50).map(float), min_size=1, max_size=8, unique=True)
values = st.lists(st.integers(0, 60).map(float), max_size=40)


@given(bounds, values, st.sampled_from([0.5, 0.99]))
def test_a_quantile_is_the_least_bound_that_holds_so_many(
    limits: list[float], seen: list[float], part: float
) -> None:
    every = [*limits, math.inf]
    buckets = [(bound, float(sum(value <= bound for value in seen))) for bound in every]

    found = quantile(reversed(buckets), part)

    if not seen:
        assert found == 0
        return
    enough = [bound for bound, count in buckets if count >= part * len(seen) and bound < math.inf]
    assert found == min(enough, default=max(limits))
