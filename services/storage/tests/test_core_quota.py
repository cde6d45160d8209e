import pytest

from logos_storage.core.errors import QuotaExceededError
from logos_storage.core.quota import Quota


def test_used_and_reserved_room_count_against_the_limit() -> None:
    quota = Quota(100)
    quota.used_bytes = 60

    with quota.reservation(30):
        with pytest.raises(QuotaExceededError, match="10 of 100 left"):
            quota.require(11)
        quota.require(10)

    quota.require(40)
    quota.used_bytes = 0
    quota.require(100)


def test_what_a_reservation_has_spent_stays_used() -> None:
    quota = Quota(100)

    with quota.reservation(50) as reservation:
        reservation.spend(20)
        assert (quota.used_bytes, quota.reserved_bytes) == (20, 30)

    assert (quota.used_bytes, quota.reserved_bytes) == (20, 0)


def test_no_more_is_spent_than_was_reserved() -> None:
    quota = Quota(100)

    with quota.reservation(50) as reservation:
        assert reservation.spend(20) == 20
        assert reservation.spend(70) == 30

        assert (quota.used_bytes, quota.reserved_bytes) == (50, 0)


def test_a_reservation_is_raised_as_far_as_there_is_room() -> None:
    quota = Quota(100)

    with quota.reservation(50) as reservation:
        reservation.raise_to(40)
        assert quota.reserved_bytes == 50
        reservation.raise_to(100)
        with pytest.raises(QuotaExceededError):
            reservation.raise_to(101)

        assert quota.reserved_bytes == 100
    assert quota.reserved_bytes == 0


def test_a_reservation_that_does_not_fit_reserves_nothing() -> None:
    quota = Quota(100)

    with pytest.raises(QuotaExceededError), quota.reservation(101):
        pass

    assert quota.reserved_bytes == 0
