import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.budgets import MAX_ASKERS, Allowance, Budgets

pytestmark = pytest.mark.property

PEER, ALL = Allowance(at_once=3, every_ms=100), Allowance(at_once=5, every_ms=10)


def taken(budgets: Budgets, peer: str, now_ms: int, tries: int = 100) -> int:
    return sum(budgets.take(peer, now_ms) for _ in range(tries))


def test_a_peer_may_ask_some_times_at_once_and_then_at_a_pace() -> None:
    budgets = Budgets(PEER, ALL)

    assert taken(budgets, "a", 0) == 3
    assert taken(budgets, "a", 99) == 0
    assert taken(budgets, "a", 100) == 1
    assert taken(budgets, "a", 250) == 1
    assert taken(budgets, "a", 10_000) == 3


def test_all_together_are_bounded_too() -> None:
    budgets = Budgets(PEER, ALL)

    assert [taken(budgets, name, 0) for name in "abc"] == [3, 2, 0]
    assert taken(budgets, "d", 10) == 1


def test_a_clock_that_goes_back_gives_nothing() -> None:
    budgets = Budgets(PEER, ALL)

    assert taken(budgets, "a", 1000) == 3
    assert taken(budgets, "a", 0) == 0


def test_askers_are_forgotten_beyond_the_last() -> None:
    budgets = Budgets(PEER, Allowance(10_000, 1))
    for number in range(3 * MAX_ASKERS):
        budgets.take(str(number), 0)

    assert len(budgets._peers) == MAX_ASKERS


@given(
    asks=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 300)), max_size=80),
)
def test_no_history_gives_more_than_the_pace(asks: list[tuple[str, int]]) -> None:
    budgets, now_ms = Budgets(PEER, ALL), 0
    given_to: dict[str, int] = {}
    for peer, later_ms in asks:
        now_ms += later_ms
        given_to[peer] = given_to.get(peer, 0) + budgets.take(peer, now_ms)

    assert all(count <= 3 + now_ms // 100 for count in given_to.values())
    assert sum(given_to.values()) <= 5 + now_ms // 10
