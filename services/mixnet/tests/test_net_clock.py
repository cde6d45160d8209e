import time

from logos_mixnet.net.clock import steady_unix_ms


def test_the_clock_begins_with_unix_time() -> None:
    before_ms = time.time_ns() // 1_000_000
    now_ms = steady_unix_ms()()

    assert before_ms <= now_ms <= time.time_ns() // 1_000_000 + 1


def test_a_clock_that_is_set_while_it_runs_changes_nothing() -> None:
    unix_ns, steady_ns = [10**18], [5 * 10**6]
    now_ms = steady_unix_ms(lambda: unix_ns[0], lambda: steady_ns[0])
    start_ms = now_ms()

    unix_ns[0] -= 86_400 * 10**9
    steady_ns[0] += 7 * 10**6

    assert start_ms == 10**12
    assert now_ms() == start_ms + 7
