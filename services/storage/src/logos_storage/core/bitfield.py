"""Which blocks of a tree are here: one bit each, lowest bit first.

Spec: docs/protocol/storage.md, STO-13.
"""

from collections.abc import Iterator
from typing import Final

from logos_storage.core.errors import BadDataError

_FULL: Final = 0xFF


class Bitfield:
    """A set of block indices below `block_count`. Memory: a bit each."""

    def __init__(self, block_count: int, bits: bytes | None = None) -> None:
        size = (block_count + 7) // 8
        if bits is None:
            bits = bytes(size)
        if len(bits) != size:
            raise BadDataError("the length of the bitfield does not match its tree")
        self._bits = bytearray(bits)
        self._block_count = block_count
        if block_count % 8:
            self._bits[-1] &= (1 << block_count % 8) - 1
        self.held = int.from_bytes(self._bits, "little").bit_count()
        """How many blocks are here."""

    @classmethod
    def full(cls, block_count: int) -> "Bitfield":
        return cls(block_count, b"\xff" * ((block_count + 7) // 8))

    @property
    def is_full(self) -> bool:
        return self.held == self._block_count

    def __contains__(self, index: int) -> bool:
        return bool(self._bits[index >> 3] >> (index & 7) & 1)

    def add(self, index: int) -> None:
        if index not in self:
            self._bits[index >> 3] |= 1 << (index & 7)
            self.held += 1

    def missing(self, first: int, end: int) -> Iterator[int]:
        """Yields the blocks of [first, end) that are not here."""
        index = end if self.is_full else first
        while index < end:
            if index & 7 == 0 and self._bits[index >> 3] == _FULL:
                index += 8
                continue
            if index not in self:
                yield index
            index += 1

    def holds(self, first: int, end: int) -> bool:
        """Returns whether all of [first, end) is here."""
        return next(self.missing(first, end), None) is None

    def to_bytes(self) -> bytes:
        return bytes(self._bits)
