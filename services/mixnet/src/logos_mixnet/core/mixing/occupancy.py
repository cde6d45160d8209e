"""How many packets wait at this mix on average: what the estimate of its anonymity rests on."""

import math
from typing import Final

MEMORY_MS: Final = 120_000
"""Older samples count for 1/e and less."""
ENOUGH_MS: Final = 60_000
"""Below this too little was observed to be told."""


class Occupancy:
    """An average that forgets. Not thread-safe."""

    def __init__(self) -> None:
        self._begun_ms: int | None = None
        self._then_ms = 0
        self._weight = 0.0
        self._sum = 0.0

    def sample(self, held: int, now_ms: int) -> None:
        """Takes how many packets wait now. At even times."""
        if self._begun_ms is None:
            self._begun_ms = self._then_ms = now_ms
        kept = math.exp(-max(0, now_ms - self._then_ms) / MEMORY_MS)
        self._weight = self._weight * kept + 1
        self._sum = self._sum * kept + held
        self._then_ms = now_ms

    @property
    def mean(self) -> float | None:
        """Packets that wait on average; None: not observed for long enough."""
        if self._begun_ms is None or self._then_ms - self._begun_ms < ENOUGH_MS:
            return None
        return self._sum / self._weight
