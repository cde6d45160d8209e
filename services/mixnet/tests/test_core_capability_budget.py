"""How many requests a registrar reads."""

from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.capability import budget as core
from logos_mixnet.core.capability.budget import (
    MAX_PEERS,
    PEER_BURST,
    PER_PEER,
    TOTAL,
    TOTAL_BURST,
    Budget,
)
from logos_mixnet.core.capability.keys import PeerId


def peer(number: int) -> PeerId:
    return PeerId(b"peer%d" % number)


def test_a_peer_has_a_burst_and_then_a_rate() -> None:
    budget = Budget()

    assert sum(budget.take(peer(1), 0) for _ in range(1000)) == PEER_BURST
    assert sum(budget.take(peer(1), 10_000) for _ in range(1000)) == min(10 * PER_PEER, PEER_BURST)
    taken = sum(budget.take(peer(1), 20_000 + at) for at in range(0, 60_000, 10))
    assert taken <= PEER_BURST + 60 * PER_PEER


def test_a_flood_of_one_peer_takes_nothing_from_others() -> None:
    budget = Budget()
    for at in range(100_000):
        budget.take(peer(1), at // 100)

    assert all(budget.take(peer(2 + at), 1000) for at in range(100))


def test_all_peers_have_a_budget_together() -> None:
    budget = Budget()

    taken = sum(budget.take(peer(at % 400), 0) for at in range(20_000))

    assert taken == TOTAL_BURST
    assert sum(budget.take(peer(at % 400), 1000) for at in range(20_000)) == TOTAL


def test_peers_that_asked_long_ago_are_forgotten() -> None:
    budget = Budget()
    for at in range(3 * MAX_PEERS):
        budget.take(peer(at), at * 60_000)

    assert len(budget) <= MAX_PEERS


def test_more_peers_than_are_remembered_are_refused() -> None:
    """Their budgets could not be kept: a new peer for each request would have no bound."""
    budget = Budget()
    budget._total = core.Bucket(10**9, 10**9)

    taken = sum(budget.take(peer(at), 0) for at in range(2 * MAX_PEERS))

    assert taken == MAX_PEERS


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1000, 5000)), max_size=200))
def test_no_history_gains_more_than_the_rates(history: list[tuple[int, int]]) -> None:
    budget, now_ms, latest_ms = Budget(), 0, 0
    taken = dict.fromkeys(range(4), 0)
    for who, waits_ms in history:
        now_ms = max(now_ms + waits_ms, 0)
        latest_ms = max(latest_ms, now_ms)
        taken[who] += budget.take(peer(who), now_ms)
    rises_s = sum(max(waits_ms, 0) for _, waits_ms in history) / 1000
    assert all(count <= PEER_BURST + rises_s * PER_PEER for count in taken.values())
