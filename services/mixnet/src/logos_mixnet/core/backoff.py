"""How long to wait before the next try: doubling, with jitter (NET-4)."""

from dataclasses import dataclass
from typing import Final, Protocol

JITTER: Final = 0.25


class Rng(Protocol):
    """A source of randomness, e.g. `secrets.SystemRandom()`."""

    def random(self) -> float:
        """Returns a number in [0, 1)."""
        ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays from `base_ms`, doubled after every failure, up to `max_ms`, each +-25 %."""

    base_ms: int
    max_ms: int

    def delay_ms(self, failures: int, rng: Rng) -> int:
        """Returns the delay after `failures` failures in a row; 0 counts as 1."""
        doublings = min(max(failures - 1, 0), 32)
        plain = min(self.base_ms << doublings, self.max_ms)
        return round(plain * (1 + JITTER * (2 * rng.random() - 1)))


DIAL: Final = Backoff(500, 60_000)
