"""Blocks that have just been verified, kept for the reader that waits for them.

Without it a reader would have them read from disk and hashed once more. For one
thread.
"""

from collections.abc import Iterable

from logos_storage.core.batch import VerifiedBlock


class FreshBlocks:
    """Blocks of all trees, each for one reader; beyond the limit the oldest go first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._blocks: dict[tuple[str, int], memoryview] = {}

    def add(self, tree: str, blocks: Iterable[VerifiedBlock]) -> None:
        """Keeps blocks of a tree, by the tree's name."""
        for block in blocks:
            self._discard((tree, block.index))
            self._blocks[tree, block.index] = block.data
            self._held_bytes += len(block.data)
        while self._held_bytes > self._limit_bytes:
            self._discard(next(iter(self._blocks)))

    def take(self, tree: str, first: int, end: int) -> list[memoryview] | None:
        """Removes and returns blocks [first, end); None unless all of them are here."""
        keys = [(tree, index) for index in range(first, end)]
        if any(key not in self._blocks for key in keys):
            return None
        blocks = [self._blocks[key] for key in keys]
        for key in keys:
            self._discard(key)
        return blocks

    def forget(self, tree: str) -> None:
        """Drops all blocks of a tree."""
        for key in [key for key in self._blocks if key[0] == tree]:
            self._discard(key)

    def _discard(self, key: tuple[str, int]) -> None:
        block = self._blocks.pop(key, None)
        if block is not None:
            self._held_bytes -= len(block)
