"""What the store keeps of a chain that is followed: blocks as they are found valid, and then which
of them are final and which are dropped.

The follower decides at once, the disk later: what it has not taken yet waits here, and no block is
added before it. So little waits, and the disk is never ahead of what was told, nor far behind.

Spec: docs/protocol/chain-following.md, FOL-8 to FOL-11.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

from logos_chain.core.branch import Branches
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import ChainStore, KeptBlock
from logos_chain.operations.ledger_lane import LedgerLane

MAX_SETTLED: Final = 1024
"""Blocks that are made final by one call of the store (FOL-9)."""

Prepare = Callable[[tuple[BlockId, ...]], Awaitable[None]]
"""Makes ready for blocks to become final, the oldest first: the last time that what they have
changed can be had. Errors: DiskFullError, StoreFailedError; it is asked again then."""


class Settling:
    """The blocks of a tree above its root, on their way to the disk's final chain."""

    def __init__(self, store: ChainStore, lane: LedgerLane, tree: BlockTree) -> None:
        self._store = store
        self._lane = lane
        self._tree = tree
        self._storing = asyncio.Lock()
        self.told: Callable[[tuple[BlockId, ...]], None] = lambda _final: None
        """Is told of blocks, the oldest first, once the disk has them as final."""
        self.prepare: list[Prepare] = []
        """Are awaited before blocks are made final on disk (FOL-19)."""
        self._accepted: dict[BlockId, TreeBlock] = {}
        """In the tree, not final on disk."""
        self._added: dict[BlockId, BlockId] = {}
        """On disk, not in the tree: blocks and their parents."""
        self._final: list[BlockId] = []
        self._cut: list[BlockId] = []

    @property
    def is_due(self) -> bool:
        """Whether the disk is behind."""
        return bool(self._final or self._cut)

    async def keep(self, block: KeptBlock) -> bool:
        """Makes a valid block durable; returns False if its parent was cut off meanwhile.

        Raises:
            DiskFullError, StoreFailedError: It is not kept, or that is not known.
        """
        async with self._storing:
            await self._settle()
            if not self._has(block.parent):
                return False
            await self._store.add(block)
            self._added[block.id] = block.parent
            return True

    def accepted(self, block: TreeBlock) -> None:
        """A kept block is in the tree."""
        self._added.pop(block.id, None)
        self._accepted[block.id] = block

    def rejected(self, block: BlockId) -> None:
        """A block is not in the tree after all; if it was kept, it is to be dropped (FOL-11)."""
        if self._added.pop(block, None) is not None:
            self._cut.append(block)

    def finalised(self, blocks: Iterable[BlockId]) -> None:
        """Blocks are final, the oldest first; `flush` makes that durable."""
        self._final += blocks

    def cut_off(self, blocks: Iterable[BlockId]) -> None:
        """Blocks will never be final; `flush` drops them. The ledger forgets them by itself."""
        for each in blocks:
            self._accepted.pop(each, None)
            self._cut.append(each)

    async def flush(self) -> None:
        """Brings the disk up to date.

        Raises:
            DiskFullError, StoreFailedError: What is left waits for the next time.
        """
        async with self._storing:
            await self._settle()

    async def _settle(self) -> None:
        while self.is_due:
            final, decided = tuple(self._final[:MAX_SETTLED]), len(self._cut)
            cut = (*self._cut, *self._strays())
            for prepare in self.prepare if final else ():
                await prepare(final)
            await self._store_settle(final, cut)
            del self._final[: len(final)], self._cut[:decided]
            for each in cut:
                self._added.pop(each, None)
            for each in final:
                del self._accepted[each]
            await self._lane.run(partial(Branches.settle, final=final))
            if final:
                self.told(final)

    async def _store_settle(self, final: tuple[BlockId, ...], cut: tuple[BlockId, ...]) -> None:
        # A call that seemed to fail may have been done (FOL-10).
        missing = [each for each in final if not self._store.is_final(each)]
        deltas = await self._lane.run(partial(Branches.deltas, blocks=missing))
        blocks = [self._accepted[each] for each in missing]
        await self._store.settle(list(zip(blocks, deltas, strict=True)), cut)

    def _strays(self) -> list[BlockId]:
        """Kept blocks whose parents are cut off: the follower is about to reject them."""
        return [each for each, parent in self._added.items() if not self._has(parent)]

    def _has(self, block: BlockId) -> bool:
        return block in self._tree
