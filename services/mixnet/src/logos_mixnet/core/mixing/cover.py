"""When a node sends cover traffic: loops through the mix back to itself (MIX-21).

One budget of message ids, R in an epoch of P seconds, is shared by cover, own messages and
forwards. A loop costs its L hops an id each and its sender one: a share f of the budget is spent
where each node begins f·R / (1 + L) an epoch.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from logos_mixnet.core.backoff import Rng

LONGEST: Final = 20
"""Times the mean: chance gives a longer pause once in 5·10^8."""


class Law(StrEnum):
    """How the times of loops are drawn."""

    POISSON = "poisson"
    """Independent of one another."""
    CONSTANT = "constant"
    """At a constant rate: as LIP-161 has it. Forwards, which are not on its grid, stand out."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a mix spends, and how long it holds."""

    name: str
    limit: int
    """R: message ids in an epoch, from 4 on."""
    period_ms: int
    """P: of an epoch."""
    mean_delay_ms: int
    """At each hop but the last."""
    share: float = 0.7
    """f: the part of the budget that all cover together costs."""
    hops: int = 3
    law: Law = Law.POISSON

    @property
    def mean_pause_ms(self) -> float:
        """Between two loops of one node."""
        return (1 + self.hops) * self.period_ms / (self.share * self.limit)

    @property
    def expected_waiting(self) -> float:
        """Packets that wait in a mix by cover alone: what hides one (k)."""
        return (self.hops - 1) * self.mean_delay_ms / self.mean_pause_ms


DEMO: Final = Profile("demo", 10, 10_000, 200)
LAPTOP: Final = Profile("laptop", 10, 10_000, 10_000)
STRONG: Final = Profile("strong", 100, 10_000, 2_000)
LIP: Final = Profile("lip", 100, 10_000, 100, law=Law.CONSTANT)
PROFILES: Final = {profile.name: profile for profile in (DEMO, LAPTOP, STRONG, LIP)}


class Schedule:
    """Times of loops, one after another. Not thread-safe."""

    def __init__(self, profile: Profile, rng: Rng, now_ms: float) -> None:
        """Begins in the middle of a pause, as if it had always been there."""
        self._profile = profile
        self._rng = rng
        self.due_ms = now_ms + self._first_ms()

    def take(self, now_ms: float) -> bool:
        """Says whether a loop is due; if so, sets the time of the next.

        One at a time: where many are late, since the process stood still, the others are left
        out. To make up for them would show a burst.
        """
        if now_ms < self.due_ms:
            return False
        pause_ms = self._pause_ms()
        self.due_ms += pause_ms
        if self.due_ms < now_ms:
            self.due_ms = now_ms + pause_ms
        return True

    def _first_ms(self) -> float:
        if self._profile.law is Law.CONSTANT:
            return self._rng.random() * self._profile.mean_pause_ms
        return self._pause_ms()

    def _pause_ms(self) -> float:
        mean_ms = self._profile.mean_pause_ms
        if self._profile.law is Law.CONSTANT:
            return mean_ms
        return min(-mean_ms * math.log1p(-self._rng.random()), LONGEST * mean_ms)
