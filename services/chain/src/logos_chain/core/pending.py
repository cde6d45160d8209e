"""The bodies of blocks that are not decided yet: bounded in number and in bytes.

An id commits to a block's transactions, but neither to its signature nor to its transactions'
proofs. So a block whose body does not hold says nothing of others with its id.

Spec: docs/protocol/chain-following.md, FOL-1, FOL-2.
"""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from logos_chain.core.consensus.types import BlockId

MAX_BLOCKS: Final = 128
"""More than the follower lets wait: 64 to be verified, 16 early ones, 5 orphans."""
MAX_BYTES: Final = 64 << 20
"""Of their encodings."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Held(Generic[T]):
    body: T
    block_bytes: int


class Pending(Generic[T]):
    """Bodies by block, and room that is taken by blocks which are being decoded."""

    def __init__(self, *, max_blocks: int = MAX_BLOCKS, max_bytes: int = MAX_BYTES) -> None:
        self._max_blocks = max_blocks
        self._max_bytes = max_bytes
        self._held: dict[BlockId, _Held[T]] = {}
        self._blocks = 0
        self.bytes = 0
        """Of all blocks that are here, or being decoded."""

    def __len__(self) -> int:
        """All blocks that are here, or being decoded."""
        return self._blocks

    def __contains__(self, block: BlockId) -> bool:
        return block in self._held

    def enter(self, block_bytes: int) -> bool:
        """Takes room for a block; returns False if there is none."""
        if self._blocks >= self._max_blocks or self.bytes + block_bytes > self._max_bytes:
            return False
        self._blocks += 1
        self.bytes += block_bytes
        return True

    def leave(self, block_bytes: int) -> None:
        """Gives back room that was taken by `enter`."""
        self._blocks -= 1
        self.bytes -= block_bytes

    def put(self, block: BlockId, body: T, block_bytes: int) -> None:
        """Keeps a body, for which room was taken."""
        if block in self._held:
            raise ValueError("a block that is pending already")
        self._held[block] = _Held(body, block_bytes)

    def get(self, block: BlockId) -> T | None:
        """Returns a body."""
        held = self._held.get(block)
        return None if held is None else held.body

    def take(self, block: BlockId) -> T | None:
        """Returns a body and forgets it, and gives back its room."""
        held = self._held.pop(block, None)
        if held is None:
            return None
        self.leave(held.block_bytes)
        return held.body

    def clear(self) -> list[T]:
        """Takes all bodies."""
        bodies = [self.take(each) for each in list(self._held)]
        return [each for each in bodies if each is not None]
