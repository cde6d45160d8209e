"""Blocks that have come before their parents (CON-37).

Nothing of them can be verified, so they are few, and no source has more than two.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from logos_chain.core.consensus.types import BlockId, Candidate

MAX_ORPHANS: Final = 5
MAX_OF_ONE_SOURCE: Final = 2


@dataclass(frozen=True, slots=True)
class Orphan:
    """A block that waits for its parent."""

    candidate: Candidate
    source: str
    """The peer that has sent it."""


class Orphans:
    """A bounded cache; the oldest make room."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[BlockId, Orphan] = OrderedDict()

    def __contains__(self, block_id: BlockId) -> bool:
        """Says whether a block waits."""
        return block_id in self._waiting

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, candidate: Candidate, source: str) -> list[Orphan]:
        """Keeps a block; returns what makes room: its source's oldest, or the oldest of all."""
        own = [each for each, orphan in self._waiting.items() if orphan.source == source]
        given_up: list[BlockId] = []
        if len(own) >= MAX_OF_ONE_SOURCE:
            given_up = own[:1]
        elif len(self._waiting) >= MAX_ORPHANS:
            given_up = [next(iter(self._waiting))]
        removed = self._take(given_up)
        self._waiting[candidate.header.id] = Orphan(candidate, source)
        return removed

    def children_of(self, parent: BlockId) -> list[Orphan]:
        """Takes out the blocks that have waited for this one."""
        return self._take(
            [each for each, one in self._waiting.items() if one.candidate.header.parent == parent]
        )

    def until(self, slot: int) -> list[Orphan]:
        """Takes out the blocks whose slot is not after this one."""
        return self._take(
            [each for each, one in self._waiting.items() if one.candidate.header.slot <= slot]
        )

    def discard(self, block_id: BlockId) -> list[Orphan]:
        """Takes out a block, if it waits."""
        return self._take([block_id] if block_id in self._waiting else [])

    def _take(self, ids: list[BlockId]) -> list[Orphan]:
        return [self._waiting.pop(each) for each in ids]
