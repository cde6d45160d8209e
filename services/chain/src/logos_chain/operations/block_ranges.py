"""Finds blocks of the local chain by their slots, and walks back from a block.

Spec: docs/protocol/chain-http.md, HTP-7, HTP-8.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from logos_chain.core.consensus.types import BlockId
from logos_chain.core.errors import BlockUnknownError
from logos_chain.core.ports import BlockOutline, ChainStore
from logos_chain.operations.exploring import ExploreOperations
from logos_chain.operations.following import FollowOperations
from logos_mantle.blocks import Block

PAGE: Final = 64
"""Ids that are read at once."""


@dataclass(frozen=True, slots=True)
class SlotRange:
    """Which blocks are wanted."""

    first: int
    last: int
    """This one included."""
    is_final: bool = False
    """Whether blocks that can still leave the chain are left out."""
    is_ascending: bool = True
    limit: int | None = None
    """At most so many; None: all."""
    is_newest: bool = False
    """Whether of more than the limit the newest ones are wanted; else the oldest."""


class BlockRanges:
    """Reads ranges of one node's chain."""

    def __init__(
        self, follow: FollowOperations, explore: ExploreOperations, store: ChainStore
    ) -> None:
        self._follow = follow
        self._explore = explore
        self._store = store

    async def back(
        self, newest: BlockId | None, oldest: BlockId | None, limit: int
    ) -> list[BlockId]:
        """Returns ids from a block back to an ancestor, both included.

        Args:
            newest: None: the tip.
            oldest: None: the newest final block. One that is no ancestor: back to the genesis.
            limit: At most so many.

        Raises:
            BlockUnknownError: The first is not here.
            StoreFailedError
        """
        found: list[BlockId] = []
        at = self._follow.tip.id if newest is None else newest
        end = self._follow.latest_immutable.id if oldest is None else oldest
        while len(found) < limit:
            outline = await self._store.outline(at)
            if outline is None:
                if found:
                    break  # the genesis has no parent
                raise BlockUnknownError("there is no such block here")
            if self._follow.is_final(at):
                found += await self._final_back(outline, limit - len(found))
                break
            found.append(at)
            if at == end:
                break
            at = outline.parent
        return found[: found.index(end) + 1] if end in found else found

    async def _final_back(self, newest: BlockOutline, limit: int) -> Sequence[BlockId]:
        first = max(0, newest.height + 1 - limit)
        ids = list(await self._explore.ids(first, newest.height + 1 - first))
        return ids[::-1]

    async def blocks(self, wanted: SlotRange) -> AsyncGenerator[Block]:
        """Yields blocks one after the other, as the chain is when they are read.

        If the chain changes meanwhile, blocks of it may be missing; none comes out of order.

        Raises:
            StoreFailedError
        """
        first, end = await self._heights(wanted)
        last_slot: int | None = None
        for low, high in _pages(first, end, is_ascending=wanted.is_ascending):
            ids = await self._explore.ids(low, high - low)
            for each in ids if wanted.is_ascending else reversed(ids):
                block = await self._follow.block(each)
                if block is None or not wanted.first <= block.header.slot <= wanted.last:
                    continue
                slot = block.header.slot
                if last_slot is None or (slot > last_slot) is wanted.is_ascending:
                    last_slot = slot
                    yield block

    async def _heights(self, wanted: SlotRange) -> tuple[int, int]:
        """Returns the first height of a range, and the one after its last."""
        newest = self._follow.latest_immutable if wanted.is_final else self._follow.tip
        first = await self._first_from(wanted.first, newest.height + 1)
        end = await self._first_from(wanted.last + 1, newest.height + 1)
        if wanted.limit is None or end - first <= wanted.limit:
            return first, end
        return (end - wanted.limit, end) if wanted.is_newest else (first, first + wanted.limit)

    async def _first_from(self, slot: int, high: int) -> int:
        """Returns the first height below `high` of a slot or later; `high` if there is none."""
        low = 0
        while low < high:
            middle = (low + high) // 2
            found = await self._slot_at(middle)
            if found is None or found >= slot:
                high = middle
            else:
                low = middle + 1
        return low

    async def _slot_at(self, height: int) -> int | None:
        ids = await self._explore.ids(height, 1)
        outline = await self._store.outline(ids[0]) if ids else None
        return None if outline is None else outline.slot


def _pages(first: int, end: int, *, is_ascending: bool) -> Iterator[tuple[int, int]]:
    lows = range(first, end, PAGE)
    for low in lows if is_ascending else reversed(lows):
        yield low, min(low + PAGE, end)
