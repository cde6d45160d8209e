"""What the mix hides (docs/anonymity.md)."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anonymity:
    """As somebody sees it who sees every link, and knows nothing else."""

    waiting: float
    """Packets that wait in a mix beside one: k."""
    entropy_bits: float
    best_guess: float
    """How often the best guess is right. 0 to 1."""
    is_observed: bool
    """Whether `waiting` was observed here; else it is what cover traffic alone gives."""

    @property
    def words(self) -> str:
        """The same in a sentence."""
        return f"{self.best_guess:.0%}"


def estimate(waiting: float, hops: int, *, is_observed: bool) -> Anonymity:
    """Returns what so many waiting packets hide on a path of so many hops."""
    entropy_bits = (hops - 1) * math.log2(1 + waiting)
    return Anonymity(waiting, entropy_bits, 1 / (1 + math.e * waiting), is_observed)
