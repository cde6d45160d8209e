"""KER-32: a breaker opens, lets one through, and closes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.core.breaker import FAILURES, MAX_OPEN_MS, OPEN_MS, Breaker


def failed(breaker: Breaker, times: int, now_ms: int = 0) -> None:
    for _ in range(times):
        assert breaker.admit(now_ms) == 0
        breaker.ended(now_ms, is_reached=False)


def test_it_opens_after_five_failures_in_a_row() -> None:
    breaker = Breaker()
    failed(breaker, FAILURES - 1)
    breaker.ended(0, is_reached=True)
    failed(breaker, FAILURES)

    assert breaker.admit(0) == OPEN_MS
    assert breaker.admit(OPEN_MS - 1) == 1


def test_half_open_it_lets_one_through_at_a_time() -> None:
    breaker = Breaker()
    failed(breaker, FAILURES)

    assert breaker.admit(OPEN_MS) == 0
    assert breaker.admit(OPEN_MS) > 0
    breaker.withdrawn()
    assert breaker.admit(OPEN_MS) == 0
    breaker.ended(OPEN_MS, is_reached=True)
    assert breaker.admit(OPEN_MS) == breaker.admit(OPEN_MS) == 0


def test_each_failed_trial_doubles_its_time_up_to_a_minute() -> None:
    breaker, now_ms = Breaker(), 0
    failed(breaker, FAILURES)
    waits = []
    for _ in range(6):
        now_ms += breaker.admit(now_ms)
        failed(breaker, 1, now_ms)
        waits.append(breaker.admit(now_ms))

    assert waits == [2 * OPEN_MS, 4 * OPEN_MS, 8 * OPEN_MS, *[MAX_OPEN_MS] * 3]


def test_a_stream_is_let_through_half_open_but_is_not_the_trial() -> None:
    breaker = Breaker()
    failed(breaker, FAILURES)

    assert breaker.wait_ms(OPEN_MS - 1) == 1
    assert breaker.wait_ms(OPEN_MS) == breaker.wait_ms(OPEN_MS) == 0
    assert breaker.admit(OPEN_MS) == 0


class Model:
    """The rule, said another way: by the whole history of outcomes."""

    def __init__(self) -> None:
        self.run = 0
        self.closed_at_ms = 0
        self.is_open = False
        self.time_ms = OPEN_MS

    def outcome(self, now_ms: int, *, is_reached: bool) -> None:
        if is_reached:
            self.run, self.is_open, self.time_ms = 0, False, OPEN_MS
            return
        self.run += 1
        if self.is_open:
            self.time_ms = min(self.time_ms * 2, MAX_OPEN_MS)
            self.closed_at_ms = now_ms + self.time_ms
        elif self.run >= FAILURES:
            self.is_open, self.closed_at_ms = True, now_ms + self.time_ms

    def admits(self, now_ms: int) -> bool:
        return not self.is_open or now_ms >= self.closed_at_ms


# One call at a time; whether it is reached, and the time until the next, near the limits.
steps = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0, 1, OPEN_MS - 1, OPEN_MS, 2 * OPEN_MS])),
    max_size=60,
)


@pytest.mark.property
@given(steps)
def test_it_admits_what_the_rule_admits(steps: list[tuple[bool, int]]) -> None:
    breaker, model, now_ms = Breaker(), Model(), 0
    for is_reached, gap_ms in steps:
        wait_ms = breaker.admit(now_ms)
        assert (wait_ms == 0) == model.admits(now_ms)
        if wait_ms == 0:
            breaker.ended(now_ms, is_reached=is_reached)
            model.outcome(now_ms, is_reached=is_reached)
        now_ms += gap_ms
