"""WAL-30: a wallet claims one voucher at a time, each after a random time of its own."""

from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.wallet.claim_timer import ClaimOne, ClaimTimer


class Fixed:
    def __init__(self, number: int) -> None:
        self.number = number

    def randrange(self, stop: int, /) -> int:
        return self.number % stop


@given(st.integers(0, (1 << 53) - 1), st.integers(1, 10**9))
def test_times_are_bounded_and_one_claim_is_made_at_a_time(number: int, mean_ms: int) -> None:
    timer = ClaimTimer(mean_ms, Fixed(number))

    assert timer.seen(2, 5) == []
    wake_ms = timer.next_wake_ms()
    assert wake_ms is not None
    assert 5 <= wake_ms <= 6 + 37 * mean_ms
    assert timer.tick(wake_ms - 1) == []
    assert timer.tick(wake_ms) == [ClaimOne()]
    timer.seen(2, wake_ms)
    assert timer.next_wake_ms() is None
    timer.claimed(2, wake_ms)
    assert timer.next_wake_ms() is not None
    timer.seen(0, wake_ms)
    assert timer.next_wake_ms() is None


def test_none_is_claimed_if_it_is_switched_off() -> None:
    timer = ClaimTimer(0, Fixed(7))
    timer.seen(9, 0)

    assert timer.next_wake_ms() is None
    assert timer.tick(10**9) == []


def test_times_are_as_long_as_is_wanted_on_average() -> None:
    times: list[int] = []
    for number in range(1000):
        timer = ClaimTimer(10_000, Fixed((number << 53) // 1000))
        timer.seen(1, 0)
        times.append(timer.next_wake_ms() or 0)

    assert 9_500 < sum(times) / len(times) < 10_500
    assert len(set(times)) > 900
