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

    def use(self, amount: int) -> None:
        """Takes room without a reservation.

        Raises:
            QuotaExceededError: There is not so much left.
        """
        self.require(amount)
        self.used_bytes += amount

    def require(self, amount: int) -> None:
        """Raises QuotaExceededError unless so much is left."""
        left = self.limit_bytes - self.used_bytes - self.reserved_bytes
        if amount > left:
            raise QuotaExceededError(
                f"quota exceeded: {amount} bytes wanted, {max(left, 0)} of {self.limit_bytes} left;"
                " delete datasets or raise quota_bytes"
            )

    def free(self, amount: int) -> None:
        self.used_bytes -= amount

    @contextmanager
    def reservation(self, amount: int) -> Iterator["Reservation"]:
        """Reserves room; what is not spent is given back at the end."""
        reservation = Reservation(self)
        reservation.grow(amount)
        try:
            yield reservation
        finally:
            reservation.release()


class Reservation:
    """Room that only its owner may spend."""

    def __init__(self, quota: Quota) -> None:
        self._ledger = quota
        self.left_bytes = 0

    def grow(self, amount: int) -> None:
        """Reserves more; QuotaExceededError if there is not so much."""
        self._ledger.require(amount)
        self._ledger.reserved_bytes += amount
        self.left_bytes += amount

    def spend(self, amount: int) -> None:
        """Turns reserved bytes into used ones, and takes what is lacking from the rest."""
        covered = min(amount, self.left_bytes)
        self._ledger.reserved_bytes -= covered
        self.left_bytes -= covered
        self._ledger.used_bytes += covered
        if amount > covered:
            self._ledger.use(amount - covered)

    def release(self) -> None:
        self._ledger.reserved_bytes -= self.left_bytes
        self.left_bytes = 0
