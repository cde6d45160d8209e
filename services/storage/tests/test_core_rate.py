from hypothesis import given
from hypothesis import strategies as st

from logos_storage.core.rate import WINDOW_MS, Rate


def rate_of(*notes: tuple[int, int]) -> int:
    rate = Rate()
    for at_ms, count in notes:
        rate.note(count, at_ms)
    return rate.per_second


def test_it_is_the_growth_of_the_window() -> None:
    assert rate_of() == 0
    assert rate_of((0, 7)) == 0
    assert rate_of((0, 0), (0, 9)) == 0
    assert rate_of((0, 100), (500, 150)) == 100
    assert rate_of((0, 0), (WINDOW_MS, 5000), (2 * WINDOW_MS, 5000)) == 0
    assert rate_of((0, 0), (WINDOW_MS - 1, 5000), (WINDOW_MS, 5000)) == 1000


def test_what_is_forgotten_does_not_count() -> None:
    rate = Rate()
    rate.note(1_000_000, 0)
    rate.clear()
    rate.note(0, 1000)
    rate.note(10, 2000)

    assert rate.per_second == 10


@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 10**9)), min_size=2))
def test_it_lies_between_the_slowest_and_the_fastest(steps: list[tuple[int, int]]) -> None:
    rate, now_ms, count = Rate(), 0, 0
    rate.note(0, 0)
    for pause_ms, growth in steps:
        now_ms, count = now_ms + pause_ms, count + growth
        rate.note(count, now_ms)

    rates = [growth * 1000 / pause_ms for pause_ms, growth in steps]
    assert int(min(rates)) <= rate.per_second <= max(rates)
    assert len(rate._notes) <= WINDOW_MS + 2


def test_memory_is_that_of_a_window() -> None:
    rate = Rate()
    for at_ms in range(0, 10 * WINDOW_MS, 250):
        rate.note(at_ms, at_ms)

    assert len(rate._notes) == WINDOW_MS // 250 + 1
    assert rate.per_second == 1000
