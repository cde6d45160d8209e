import pytest

from logos_mixnet.core.mixing.occupancy import Occupancy


def test_nothing_is_told_before_a_minute_was_observed() -> None:
    occupancy = Occupancy()
    for second in range(60):
        occupancy.sample(4, second * 1000)
        assert occupancy.mean is None
    occupancy.sample(4, 60_000)
    assert occupancy.mean == pytest.approx(4)


def test_what_is_new_counts_more_than_what_is_old() -> None:
    occupancy = Occupancy()
    for second in range(600):
        occupancy.sample(0, second * 1000)
    for second in range(600, 720):
        occupancy.sample(10, second * 1000)
    mean = occupancy.mean
    assert mean is not None
    assert mean == pytest.approx(10 * (1 - 2.718**-1), rel=0.02)
