"""The shapes of a dataset and of the tree under it.

Spec: docs/protocol/storage.md, STO-3, STO-4, STO-10.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from logos_base.errors import LogosError
from logos_storage.core import merkle
from logos_storage.core.cid import TREE, Cid, parse_text
from logos_storage.core.errors import InvalidBlockSizeError

MIN_BLOCK_BYTES: Final = 4 * 1024
MAX_BLOCK_BYTES: Final = 512 * 1024
DEFAULT_BLOCK_BYTES: Final = 64 * 1024
MAX_DATASET_BYTES: Final = (1 << 63) - 1

MonotonicMs = Callable[[], int]
"""Milliseconds of a monotonic clock with an arbitrary zero."""

WallClockUs = Callable[[], int]
"""Microseconds since 1970, UTC, by the clock of this machine."""


def check_block_size(size_bytes: int) -> None:
    """Raises InvalidBlockSizeError unless STO-3 allows the size."""
    if not MIN_BLOCK_BYTES <= size_bytes <= MAX_BLOCK_BYTES or size_bytes & (size_bytes - 1):
        raise InvalidBlockSizeError(
            "block size must be a power of two from 4096 to 524288 bytes",
            field="header.block_size_bytes",
        )


@dataclass(frozen=True, slots=True)
class TreeShape:
    """A tree and the geometry that its blocks have.

    Two manifests may share it though their sizes differ: zero padding and zeros
    of the content look the same in the last block (STO-4). A manifest that lies
    about the geometry of a tree names another shape, and does no harm.
    """

    tree_cid: Cid
    block_size_bytes: int
    block_count: int

    @property
    def name(self) -> str:
        """Text that names the shape, also as a folder."""
        return f"{self.tree_cid}-{self.block_size_bytes}-{self.block_count}"

    @property
    def packed_bytes(self) -> int:
        """Size of the packed tree file."""
        return merkle.node_count(self.block_count) * merkle.NODE_BYTES

    def blocks_of(self, offset: int, end: int) -> tuple[int, int]:
        """Returns the first block of bytes [offset, end) and the block after the last."""
        if offset == end:
            return 0, 0
        return offset // self.block_size_bytes, -(-end // self.block_size_bytes)


def shape_of_name(name: str) -> TreeShape | None:
    """Reads what `TreeShape.name` gives; None for any other text."""
    try:
        text, block_size, block_count = name.rsplit("-", 2)
        shape = TreeShape(parse_text(text, TREE), int(block_size), int(block_count))
    except (LogosError, ValueError):
        return None
    return shape if shape.name == name else None


def block_count_of(size_bytes: int, block_size_bytes: int) -> int:
    """Returns how many blocks a content has (STO-3)."""
    return -(-size_bytes // block_size_bytes)
