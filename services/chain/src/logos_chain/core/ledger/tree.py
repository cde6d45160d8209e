"""The tree of unspent notes: depth 32, Poseidon2, the lowest empty slot first.

Unlike `logos_crypto.trees.LedgerTree`, whose roots it has, it writes given slots, so that undoing
a block puts every note back where it was. A level is one row of bytes: 64 bytes a note in all.

Spec: docs/protocol/chain-ledger.md, LED-6. Source: LIP-83, Ledger Root; ZK-3.
"""

import heapq
from typing import Final

from logos_crypto.hashes import FIELD_BYTES, poseidon2_compress
from logos_crypto.trees import LEDGER_DEPTH, MerklePath, merkle_path

_EMPTY: Final = bytes(FIELD_BYTES)
_SLACK: Final = 1024
"""Entries of the heap that may be stale before it is made anew."""


def _empty_nodes() -> tuple[bytes, ...]:
    nodes = [_EMPTY]
    for _ in range(LEDGER_DEPTH):
        nodes.append(poseidon2_compress(nodes[-1], nodes[-1]))
    return tuple(nodes)


EMPTY_NODES: Final = _empty_nodes()
"""The root of an empty tree of each depth, up to 32."""


class NoteTree:
    """Leaves in slots. Writing is cheap; hashes are computed when the root is asked for."""

    def __init__(self) -> None:
        self._rows = [bytearray() for _ in range(LEDGER_DEPTH + 1)]
        self._dirty: set[int] = set()
        self._free: list[int] = []
        self._leaves = 0

    def __len__(self) -> int:
        return self._leaves

    def lowest_empty(self) -> int:
        """Returns the slot that the next new note takes."""
        while self._free and self.leaf(self._free[0]) != _EMPTY:
            heapq.heappop(self._free)
        return self._free[0] if self._free else len(self._rows[0]) // FIELD_BYTES

    def leaf(self, slot: int) -> bytes:
        """Returns the leaf of a slot; zeros if it is empty."""
        return self._node(0, slot)

    def write(self, slot: int, leaf: bytes) -> None:
        """Writes a leaf, 32 bytes; zeros empty the slot. A slot beyond the last makes no gap."""
        before = self.leaf(slot)
        if before == leaf:
            return
        self._extend(slot)
        self._set(0, slot, leaf)
        self._dirty.add(slot)
        self._leaves += (leaf != _EMPTY) - (before != _EMPTY)
        if leaf == _EMPTY:
            heapq.heappush(self._free, slot)
            self._compact()

    def root(self) -> bytes:
        """Returns the root, 32 bytes: 32 hashes for each leaf written since, less those shared."""
        dirty = self._dirty
        for level in range(LEDGER_DEPTH):
            dirty = {each >> 1 for each in dirty}
            for index in dirty:
                self._set(level + 1, index, self._parent(level, index))
        self._dirty = set()
        return self._node(LEDGER_DEPTH, 0)

    def path(self, slot: int) -> MerklePath:
        """Returns the path of a slot to the root."""
        self.root()
        siblings = [self._node(level, slot >> level ^ 1) for level in range(LEDGER_DEPTH)]
        return merkle_path(slot, siblings)

    def _parent(self, level: int, index: int) -> bytes:
        left, right = self._node(level, 2 * index), self._node(level, 2 * index + 1)
        empty = EMPTY_NODES[level]
        if left == empty and right == empty:
            return EMPTY_NODES[level + 1]
        return poseidon2_compress(left, right)

    def _node(self, level: int, index: int) -> bytes:
        raw = self._rows[level][index * FIELD_BYTES : (index + 1) * FIELD_BYTES]
        return bytes(raw) if raw else EMPTY_NODES[level]

    def _set(self, level: int, index: int, node: bytes) -> None:
        row, at = self._rows[level], index * FIELD_BYTES
        row.extend(EMPTY_NODES[level] * max(0, index - len(row) // FIELD_BYTES))
        row[at : at + FIELD_BYTES] = node

    def _extend(self, slot: int) -> None:
        """Lists the slots that come to lie below the last one as empty."""
        for each in range(len(self._rows[0]) // FIELD_BYTES, slot):
            heapq.heappush(self._free, each)

    def _compact(self) -> None:
        empty = len(self._rows[0]) // FIELD_BYTES - self._leaves
        if len(self._free) > 2 * empty + _SLACK:
            # An ascending list is a heap.
            self._free = sorted({each for each in self._free if self.leaf(each) == _EMPTY})
