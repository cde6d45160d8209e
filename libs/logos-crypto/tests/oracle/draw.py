"""Reproducible draws for witnesses: the same on every machine and Python."""

from hashlib import blake2b

from oracle.poseidon2 import P


class Draw:
    """A stream of numbers from a seed. Not a source of secrets."""

    def __init__(self, *seed: object) -> None:
        self._key = blake2b(repr(seed).encode(), digest_size=32).digest()
        self._count = 0

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1; `bound` at most 2^384, for a negligible bias."""
        self._count += 1
        block = blake2b(self._count.to_bytes(8, "little"), key=self._key).digest()
        return int.from_bytes(block, "little") % bound

    def between(self, first: int, last: int) -> int:
        """A number from `first` to `last`, both included."""
        return first + self.below(last - first + 1)

    def element(self) -> int:
        """An element of the field other than 0."""
        return self.between(1, P - 1)

    def elements(self, count: int) -> list[int]:
        """As many elements."""
        return [self.element() for _ in range(count)]
