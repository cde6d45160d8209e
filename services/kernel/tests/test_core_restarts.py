"""KER-5: back-off, intensity, slow retry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.core.restarts import History, RestartPolicy

POLICY = RestartPolicy()


class Fixed:
    """An Rng that always draws the same."""

    def __init__(self, drawn: float = 0.5) -> None:
        self._drawn = drawn

    def random(self) -> float:
        return self._drawn


@pytest.mark.property
@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_delay_doubles_up_to_the_maximum_within_its_jitter(attempt: int, drawn: float) -> None:
    plain = min(500 * 2**attempt, 60_000)

    delay_ms = POLICY.delay_ms(attempt, Fixed(drawn))

    assert 0.75 * plain - 1 <= delay_ms <= 1.25 * plain + 1


def test_the_whole_range_of_the_jitter_is_used() -> None:
    assert POLICY.delay_ms(0, Fixed(0.0)) == 375
    assert POLICY.delay_ms(0, Fixed(0.5)) == 500
    assert POLICY.delay_ms(0, Fixed(1 - 2**-53)) == 625


def test_the_sixth_failure_within_the_window_fails() -> None:
    history = History(POLICY)

    retries = [
        (history.fail(time_ms, Fixed()), history.is_failed) for time_ms in range(0, 6000, 1000)
    ]

    assert [delay_ms for delay_ms, _ in retries] == [500, 1000, 2000, 4000, 8000, 300_000]
    assert [is_failed for _, is_failed in retries] == [False] * 5 + [True]


def test_a_failure_leaves_the_window_exactly_at_its_end() -> None:
    on_the_edge, inside = History(POLICY), History(POLICY)
    for history in (on_the_edge, inside):
        for time_ms in range(5):
            history.fail(time_ms, Fixed())

    on_the_edge.fail(60_000, Fixed())
    inside.fail(59_999, Fixed())

    assert (on_the_edge.is_failed, inside.is_failed) == (False, True)


def test_what_failed_stays_on_the_slow_retry_until_it_is_forgotten() -> None:
    history = History(POLICY)
    history.fail(0, Fixed(), is_final=True)

    again_ms = history.fail(10_000_000, Fixed())
    assert (history.is_failed, again_ms) == (True, 300_000)
    history.forget()
    anew_ms = history.fail(20_000_000, Fixed())

    assert (history.is_failed, anew_ms) == (False, 500)


@pytest.mark.property
@given(st.lists(st.integers(0, 30_000), max_size=40))
def test_never_more_restarts_in_a_window_than_allowed(gaps: list[int]) -> None:
    history, now_ms, restarts = History(POLICY), 0, []

    for gap in gaps:
        now_ms += gap
        history.fail(now_ms, Fixed())
        if not history.is_failed:
            restarts.append(now_ms)

    for start_ms in restarts:
        within = [one for one in restarts if start_ms <= one < start_ms + POLICY.window_ms]
        assert len(within) <= POLICY.max_restarts
