"""Reproducible randomness, the same on every machine and in every version of Python."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """Draws from the hash of a seed and a counter. Not for secrets."""

    def __init__(self, seed: object) -> None:
        self._seed = repr(seed).encode()
        self._block = 0
        self._words: list[int] = []

    def below(self, bound: int) -> int:
        """Returns a number in [0, bound); the bias is negligible for bounds below 2**32."""
        if not self._words:
            digest = hashlib.blake2b(self._block.to_bytes(8, "big") + self._seed).digest()
            self._words = [int.from_bytes(digest[at : at + 8], "big") for at in range(0, 64, 8)]
            self._block += 1
        return self._words.pop() % bound

    def random(self) -> float:
        """Returns a number in [0, 1)."""
        return self.below(1 << 53) / (1 << 53)

    def hits(self, percent: float) -> bool:
        """Returns True with a probability in percent."""
        return self.random() * 100 < percent

    def between(self, low: int, high: int) -> int:
        """Returns a number in [low, high]."""
        return low + self.below(high - low + 1)

    def pick(self, options: Sequence[T]) -> T:
        """Returns one of the options, of which there must be at least one."""
        return options[self.below(len(options))]
