"""The quota: what is used, and what puts and fetches under way have reserved.

Spec: docs/protocol/storage.md, STO-16.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from logos_storage.core.errors import QuotaExceededError


class Quota:
    """What one store uses, in bytes. For one thread."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.reserved_bytes = 0

    def require(self, amount: int) -> None:
        """Raises QuotaExceededError unless so much is left."""
        left = self.limit_bytes - self.used_bytes - self.reserved_bytes
        if amount > left:
            raise QuotaExceededError(
                f"quota exceeded: {amount} bytes wanted, {max(left, 0)} of {self.limit_bytes} left;"
                " delete datasets or raise quota_bytes"
            )

    @contextmanager
    def reservation(self, amount: int) -> Iterator["Reservation"]:
        """Reserves room; what is not spent is given back at the end."""
        reservation = Reservation(self)
        reservation.raise_to(amount)
        try:
            yield reservation
        finally:
            reservation.release()


class Reservation:
    """Room that only its owner may spend."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._left_bytes = 0

    def raise_to(self, total: int) -> None:
        """Reserves what is lacking to a total; QuotaExceededError if there is not so much."""
        lacking = total - self._left_bytes
        if lacking > 0:
            self._quota.require(lacking)
            self._quota.reserved_bytes += lacking
            self._left_bytes += lacking

    def spend(self, amount: int) -> int:
        """Turns reserved bytes into used ones; returns how many, if fewer are left."""
        spent = min(amount, self._left_bytes)
        self._quota.used_bytes += spent
        self._free(spent)
        return spent

    def release(self) -> None:
        """Gives back what was not spent. Idempotent."""
        self._free(self._left_bytes)

    def _free(self, amount: int) -> None:
        self._quota.reserved_bytes -= amount
        self._left_bytes -= amount
