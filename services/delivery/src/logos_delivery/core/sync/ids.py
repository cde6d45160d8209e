"""The positions of kept messages in order, with the fingerprint and the size of any range.

A sorted list of blocks. Each knows the XOR of its hashes, and those of its beginnings once they
are asked for; so do the blocks together. A range then costs two searches, and an insertion the
length of a block.

Spec: docs/protocol/delivery-store.md, DST-30.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import accumulate
from operator import xor
from typing import Final

from logos_delivery.core.archive.types import Position
from logos_delivery.core.sync.types import FINGERPRINT_BYTES, Bounds

BLOCK: Final = 512
"""Positions of a block at most; a full one is halved."""


class _Block:
    __slots__ = ("_heads", "ids", "total")

    def __init__(self, ids: list[Position]) -> None:
        self.ids = ids
        self.total = 0
        for one in ids:
            self.total ^= int.from_bytes(one.hash, "big")
        self._heads: list[int] | None = None

    def changed(self, one: Position) -> None:
        """A position has come or gone."""
        self.total ^= int.from_bytes(one.hash, "big")
        self._heads = None

    def head(self, count: int) -> int:
        """Returns the XOR of the first hashes."""
        if self._heads is None:
            hashes = (int.from_bytes(one.hash, "big") for one in self.ids)
            self._heads = list(accumulate(hashes, xor, initial=0))
        return self._heads[count]


class IdSet:
    """Positions, each once."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._lasts: list[Position] = []
        """The last position of each block."""
        self._heads: tuple[list[int], list[int]] | None = None
        """XOR and number of the positions of the blocks before each."""
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Position]:
        for block in self._blocks:
            yield from block.ids

    def __contains__(self, one: Position) -> bool:
        number = bisect_left(self._lasts, one)
        if number == len(self._blocks):
            return False
        ids = self._blocks[number].ids
        return ids[bisect_left(ids, one)] == one

    @property
    def first(self) -> Position | None:
        """The first position; None if there is none."""
        return self._blocks[0].ids[0] if self._blocks else None

    def add(self, one: Position) -> bool:
        """Adds a position; returns whether it is new."""
        if one in self:
            return False
        if not self._blocks:
            self._blocks.append(_Block([]))
            self._lasts.append(one)
        number = min(bisect_left(self._lasts, one), len(self._blocks) - 1)
        block = self._blocks[number]
        insort(block.ids, one)
        block.changed(one)
        self._lasts[number] = block.ids[-1]
        if len(block.ids) > BLOCK:
            half = len(block.ids) // 2
            self._blocks[number : number + 1] = [
                _Block(block.ids[:half]),
                _Block(block.ids[half:]),
            ]
            self._lasts[number : number + 1] = [block.ids[half - 1], block.ids[-1]]
        self._size += 1
        self._heads = None
        return True

    def remove_before(self, position: Position) -> list[Position]:
        """Removes all before a position, and returns them."""
        removed: list[Position] = []
        whole = bisect_left(self._lasts, position)
        for block in self._blocks[:whole]:
            removed += block.ids
        del self._blocks[:whole], self._lasts[:whole]
        if self._blocks:
            block = self._blocks[0]
            count = bisect_left(block.ids, position)
            if count:
                removed += block.ids[:count]
                self._blocks[0] = _Block(block.ids[count:])
        self._size -= len(removed)
        self._heads = None
        return removed

    def count(self, bounds: Bounds) -> int:
        """Returns how many positions a range has."""
        return max(0, self._rank(bounds.upper)[1] - self._rank(bounds.lower)[1])

    def total(self, bounds: Bounds) -> int:
        """Returns the XOR of the hashes of a range, as an integer, big-endian."""
        if bounds.upper <= bounds.lower:
            return 0
        return self._rank(bounds.upper)[0] ^ self._rank(bounds.lower)[0]

    def items(self, bounds: Bounds) -> Iterator[Position]:
        """Yields the positions of a range, ascending."""
        for number in range(bisect_left(self._lasts, bounds.lower), len(self._blocks)):
            ids = self._blocks[number].ids
            end = bisect_left(ids, bounds.upper)
            yield from ids[bisect_left(ids, bounds.lower) : end]
            if end < len(ids):
                return

    def _rank(self, position: Position) -> tuple[int, int]:
        """Returns XOR and number of all positions before one."""
        if self._heads is None:
            totals = list(accumulate((block.total for block in self._blocks), xor, initial=0))
            sizes = list(accumulate((len(block.ids) for block in self._blocks), initial=0))
            self._heads = (totals, sizes)
        totals, sizes = self._heads
        number = bisect_left(self._lasts, position)
        if number == len(self._blocks):
            return totals[number], sizes[number]
        block = self._blocks[number]
        count = bisect_left(block.ids, position)
        return totals[number] ^ block.head(count), sizes[number] + count


def fingerprint(total: int) -> bytes:
    """Returns the XOR of hashes as 32 bytes."""
    return total.to_bytes(FINGERPRINT_BYTES, "big")
