from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.flow import MAX_WINDOW_BYTES, MIN_WINDOW_BYTES, Inflow, Outflow, Pool, Window


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=200))
def test_windows_never_take_more_than_the_pool_and_give_all_of_it_back(
    steps: list[tuple[int, bool]],
) -> None:
    pool = Pool(10_000)
    windows = [Window(pool, minimum=100, maximum=4000) for _ in range(10)]

    for index, grows in steps:
        if grows:
            windows[index].grow()
        else:
            windows[index].close()
        assert pool.free >= 0
        assert sum(window.size for window in windows) == 1000 + 10_000 - pool.free
        assert all(100 <= window.size <= 4000 for window in windows)

    for window in windows:
        window.close()
    assert pool.free == 10_000


@given(st.lists(st.integers(1, 1 << 20), max_size=60))
def test_a_reader_that_keeps_up_never_stops_its_peer(sizes: list[int]) -> None:
    """Each read is granted again, and a window that was used up doubles, to 4 MiB."""
    flow = Inflow(Pool())
    credit = flow.start()

    for wanted in sizes:
        size = min(wanted, credit)
        flow.arrived(size)
        used_up = size == credit
        before = credit
        credit += flow.read(size) - size
        assert credit == before * (2 if used_up and before < MAX_WINDOW_BYTES else 1)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 1 << 20)), max_size=60))
def test_a_caller_waits_only_while_a_window_is_under_way(steps: list[tuple[bool, int]]) -> None:
    flow = Outflow(Pool())
    under_way = 0

    for sends, size in steps:
        if sends and not flow.is_full:
            flow.sent(size)
            under_way += size
        elif not sends:
            flow.written(min(size, under_way))
            under_way -= min(size, under_way)
        assert under_way < (4 << 20) + (1 << 20)
        assert flow.is_full is (under_way >= flow.size)
        assert not (flow.is_full and under_way < 256 * 1024)


def test_a_window_away_from_this_node_doubles_only_when_it_is_full() -> None:
    pool = Pool()
    flow = Outflow(pool)
    before = pool.free

    flow.sent(MIN_WINDOW_BYTES - 1)
    assert pool.free == before
    flow.sent(1)
    assert before - pool.free == MIN_WINDOW_BYTES
    assert not flow.is_full
    flow.close()
    assert pool.free == before
