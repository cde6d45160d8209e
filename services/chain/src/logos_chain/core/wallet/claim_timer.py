"""When a wallet claims a voucher by itself: a machine (`logos_base.machine`).

Each claim waits for a random time of its own, without memory, so that neither the end of an epoch
nor the claim before tells whose it is.

The time of its inputs is the wall clock, in Unix milliseconds.

Spec: docs/protocol/chain-wallet.md, WAL-30. Source: LIP-85, Leaders Reward.
"""

import math
from dataclasses import dataclass
from typing import Final

from logos_chain.core.wallet.selection import Rng

_STEPS: Final = 1 << 53


@dataclass(frozen=True, slots=True)
class ClaimOne:
    """Claim one voucher; report `claimed` after it."""


class ClaimTimer:
    """One claim at a time."""

    def __init__(self, mean_ms: int, rng: Rng) -> None:
        """
        Args:
            mean_ms: The mean time before a claim; 0: none is made.
            rng: Of the times.
        """
        self._mean_ms = mean_ms
        self._rng = rng
        self._wake_ms: int | None = None
        self._is_claiming = False

    def seen(self, claimable: int, now_ms: int) -> list[ClaimOne]:
        """The chain has moved: so many vouchers can be claimed."""
        if not claimable:
            self._wake_ms = None
        elif self._wake_ms is None and not self._is_claiming and self._mean_ms:
            chance = (self._rng.randrange(_STEPS) + 1) / _STEPS
            self._wake_ms = now_ms + math.ceil(-math.log(chance) * self._mean_ms)
        return []

    def claimed(self, claimable: int, now_ms: int) -> list[ClaimOne]:
        """A claim was made, or could not be made now."""
        self._is_claiming = False
        return self.seen(claimable, now_ms)

    def tick(self, now_ms: int) -> list[ClaimOne]:
        """Claims, if it is time to."""
        if self._wake_ms is None or now_ms < self._wake_ms:
            return []
        self._wake_ms, self._is_claiming = None, True
        return [ClaimOne()]

    def next_wake_ms(self) -> int | None:
        """Returns when the next claim is made."""
        return self._wake_ms
