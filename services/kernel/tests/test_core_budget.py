"""KER-31: retries stay a tenth of the calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.core.budget import CALLS_PER_RETRY, CAPACITY, RetryBudget


@pytest.mark.property
@given(st.lists(st.booleans(), max_size=400))
def test_retries_are_at_most_a_tenth_of_the_calls_and_ten(wishes: list[bool]) -> None:
    budget, calls, retries = RetryBudget(), 0, 0
    for wants_retry in wishes:
        if not wants_retry:
            budget.earn()
            calls += 1
        elif budget.spend():
            retries += 1
        else:
            assert retries + 1 > CAPACITY  # never refused before the first ten

        assert retries <= CAPACITY + calls / CALLS_PER_RETRY


def test_an_outage_ends_all_retries_and_calls_that_need_none_bring_them_back() -> None:
    budget = RetryBudget()
    assert [budget.spend() for _ in range(CAPACITY + 1)] == [True] * CAPACITY + [False]

    for _ in range(CALLS_PER_RETRY - 1):
        budget.earn()
    assert not budget.spend()
    budget.earn()
    assert budget.spend()
