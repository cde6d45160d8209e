"""Paths through the pool (D5): chance alone chooses; loops only remove.

Rules: MIX-19, MIX-20.
"""

from collections import Counter
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest

from logos_mixnet.core.mixing.errors import PoolTooSmallError
from logos_mixnet.core.mixing.pool import FLOOR, SPARE, Mix, Pool
from logos_mixnet.core.sphinx.header import Hop

RNG = Random(21)  # noqa: S311


def mix(number: int) -> Mix:
    return Mix(f"peer{number:02}", Hop(bytes(32), bytes(94)))


def a_pool(count: int) -> Pool:
    pool = Pool()
    pool.update(mix(number) for number in range(count))
    return pool


def spoil(pool: Pool, *peers: str) -> None:
    for _ in range(30):
        pool.looped(peers, came_back=False)


def chi_square(counts: Counter[str], cells: int, draws: int) -> float:
    mean = draws / cells
    return sum((counts[f"peer{number:02}"] - mean) ** 2 / mean for number in range(cells))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_mix_is_as_likely_in_every_position(position: int) -> None:
    pool, draws = a_pool(10), 10_000
    counts = Counter(pool.path(3, RNG)[position].peer_id for _ in range(draws))
    assert chi_square(counts, 10, draws) < 27.9  # 9 degrees of freedom, p > 0.001


def test_availability_above_the_floor_is_no_weight() -> None:
    pool, draws = a_pool(10), 10_000
    for _ in range(3):
        pool.looped(["peer00", "peer01"], came_back=False)
    assert FLOOR < pool.availability("peer00") < 1
    counts = Counter(one.peer_id for _ in range(draws) for one in pool.path(3, RNG))
    assert chi_square(counts, 10, 3 * draws) < 27.9


def test_a_path_has_distinct_mixes_and_none_that_is_left_out() -> None:
    pool = a_pool(6)
    for _ in range(200):
        peers = [one.peer_id for one in pool.path(5, RNG, without=["peer03"])]
        assert sorted(peers) == ["peer00", "peer01", "peer02", "peer04", "peer05"]
    with pytest.raises(PoolTooSmallError, match="needs 5 mixes, 4 are known"):
        pool.path(5, RNG, without=["peer03", "peer04"])


def test_a_mix_that_loses_loops_is_left_out_until_it_returns_them() -> None:
    pool = a_pool(10)
    spoil(pool, "peer04")
    assert "peer04" not in [one.peer_id for one in pool.usable(3)]
    for _ in range(30):
        pool.looped(["peer04"], came_back=True)
    assert "peer04" in [one.peer_id for one in pool.usable(3)]


def test_time_and_other_loops_do_not_bring_a_mix_back() -> None:
    pool = a_pool(10)
    spoil(pool, "peer04")
    for _ in range(10_000):
        pool.looped(["peer01", "peer02"], came_back=True)
    assert not pool.is_available("peer04")


def test_loops_go_through_all_mixes_alike_also_those_that_are_left_out() -> None:
    pool, draws = a_pool(10), 10_000
    spoil(pool, "peer04")
    counts = Counter(one.peer_id for _ in range(draws) for one in pool.loop(3, RNG))
    assert chi_square(counts, 10, 3 * draws) < 27.9
    assert all(one.peer_id != "peer03" for one in pool.loop(9, RNG, without=["peer03"]))
    with pytest.raises(PoolTooSmallError, match="needs 10 mixes, 9 are known"):
        pool.loop(10, RNG, without=["peer03"])


def test_a_lost_loop_counts_against_what_is_left_out_alone() -> None:
    pool = a_pool(10)
    spoil(pool, "peer04")
    pool.looped(["peer04"], came_back=True)
    before = pool.availability("peer04")

    pool.looped(["peer04", "peer05"], came_back=False)

    assert pool.availability("peer04") < before
    assert pool.availability("peer05") == 1


def test_a_small_pool_keeps_its_best() -> None:
    pool = a_pool(6)
    spoil(pool, *(f"peer{number:02}" for number in range(4)))
    pool.looped(["peer02"], came_back=True)
    usable = [one.peer_id for one in pool.usable(3)]
    assert len(usable) == 3 + SPARE
    assert {"peer02", "peer04", "peer05"} <= set(usable)


def test_what_is_gone_is_forgotten() -> None:
    pool = a_pool(10)
    spoil(pool, "peer01")
    pool.update([mix(2)])
    pool.looped(["peer01", "nobody"], came_back=False)
    pool.update([mix(1), mix(2)])
    assert (len(pool), pool.availability("peer01")) == (2, 1.0)
    assert "peer01" in pool
