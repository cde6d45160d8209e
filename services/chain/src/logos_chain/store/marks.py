"""Which blocks are final, in memory: 8 bytes a block.

A mark is a hash of a block's id with a key of this process. So no block can be made to be taken
for another one; that one of n marks is that of a block asked for by chance has odds of n / 2**64.
Marks lie in sorted arrays, one for each value of their first byte, so that one more moves a 512th
of them: 8 KiB where there are a million.

Spec: docs/protocol/chain-store.md, CHS-12.
"""

import secrets
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from logos_chain.core.consensus.types import BlockId

MARK_BYTES: Final = 8
_ROWS: Final = 256


class FinalMarks:
    """A set of blocks that only grows. Memory: 8 to 9 bytes a block."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._rows = [array("Q") for _ in range(_ROWS)]

    def __len__(self) -> int:
        return sum(len(row) for row in self._rows)

    def __contains__(self, block: BlockId) -> bool:
        """Says whether a block is final: one hash and some 20 steps."""
        mark = self._mark(block)
        row = self._rows[mark >> 56]
        at = bisect_left(row, mark)
        return at < len(row) and row[at] == mark

    def add(self, block: BlockId) -> None:
        """Adds a block; one that is there changes nothing."""
        mark = self._mark(block)
        row = self._rows[mark >> 56]
        at = bisect_left(row, mark)
        if at == len(row) or row[at] != mark:
            row.insert(at, mark)

    def fill(self, blocks: Iterable[BlockId]) -> None:
        """Adds many blocks, which are not looked for until `order` is called."""
        for block in blocks:
            mark = self._mark(block)
            self._rows[mark >> 56].append(mark)

    def order(self) -> None:
        """Ends what `fill` has begun; blocks for half a second where there are a million."""
        self._rows = [array("Q", sorted(row)) for row in self._rows]

    def _mark(self, block: BlockId) -> int:
        hashed = blake2b(block, digest_size=MARK_BYTES, key=self._key)
        return int.from_bytes(hashed.digest(), "big")
