"""DSN-3: the budget of an epoch. Cases of logos-delivery `test_rate_limit_manager.nim`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.sending.budget import RateBudget

PERIOD_MS = 600_000
T = 42 * PERIOD_MS


def test_without_a_limit_everything_is_admitted() -> None:
    budget = RateBudget(PERIOD_MS)
    assert all(budget.admit(T) for _ in range(100))


def test_the_limit_is_refilled_when_the_epoch_ends() -> None:
    budget = RateBudget(PERIOD_MS, 3)

    assert [budget.admit(T + 5) for _ in range(4)] == [True, True, True, False]
    assert budget.refill_ms(T + 5) == T + PERIOD_MS
    assert not budget.admit(T + PERIOD_MS - 1)
    assert budget.admit(T + PERIOD_MS)


@pytest.mark.parametrize(("configured", "member", "limit"), [(5, 2, 2), (1, 100, 1), (None, 2, 2)])
def test_the_lower_limit_holds(configured: int | None, member: int, limit: int) -> None:
    budget = RateBudget(PERIOD_MS, configured)
    budget.tighten(member)

    assert budget.limit == limit
    assert sum(budget.admit(T) for _ in range(10)) == limit


def test_an_exhausted_epoch_admits_nothing_also_without_a_limit() -> None:
    budget = RateBudget(PERIOD_MS)
    budget.exhaust(T)

    assert not budget.admit(T)
    assert budget.admit(T + PERIOD_MS)


@pytest.mark.parametrize(("period_ms", "limit"), [(0, 1), (1, 0)])
def test_what_is_no_budget(period_ms: int, limit: int) -> None:
    with pytest.raises(ValueError, match="not a period"):
        RateBudget(period_ms, limit)
    with pytest.raises(ValueError, match="not a limit"):
        RateBudget(1, 1).tighten(0)


@given(st.integers(1, 4), st.lists(st.integers(0, 250), max_size=50))
def test_no_epoch_admits_more_than_its_limit(limit: int, pauses: list[int]) -> None:
    budget, admitted, now_ms = RateBudget(100, limit), dict[int, int](), 0
    for pause_ms in pauses:
        now_ms += pause_ms
        if budget.admit(now_ms):
            admitted[now_ms // 100] = admitted.get(now_ms // 100, 0) + 1
    assert max(admitted.values(), default=0) <= limit
