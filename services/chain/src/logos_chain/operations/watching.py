"""Tells how the local chain goes on, from any block on that the caller knows.

What is told is worked out from where the caller is and where the chain is, not from a list of
events: so a slow caller misses no block, and a restart of the node changes nothing.

Spec: docs/protocol/chain-following.md, FOL-21.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.errors import BlockUnknownError, CursorUnknownError
from logos_chain.operations.exploring import BlockView, ExploreOperations
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.waiting import news_or_end

MAX_ADDED: Final = 100
"""Blocks that are told of at once."""


@dataclass(frozen=True, slots=True)
class ChainMove:
    """The local chain has gone on, or blocks are final."""

    tip: BlockId
    """From now on."""
    tip_height: int
    tip_slot: int
    removed: tuple[BlockId, ...]
    """From the old tip down."""
    added: tuple[BlockView, ...]
    """Up to the new tip, at most `MAX_ADDED`."""
    final: TreeBlock
    """The newest final block."""


class WatchOperations:
    """Follows the local chain for callers."""

    def __init__(
        self, follow: FollowOperations, explore: ExploreOperations, stopping: asyncio.Event
    ) -> None:
        """Takes the chain, and what is set when the module is to stop."""
        self._follow = follow
        self._explore = explore
        self._stopping = stopping

    async def moves(self, after: BlockId | None) -> AsyncGenerator[ChainMove]:
        """Yields moves of the tip and of the newest final block, until the module stops.

        Args:
            after: The tip that the caller knows; None: from the present one on.

        Raises:
            CursorUnknownError: It is no block of this node, or it was cut off while it was
                waited for.
            ChainListenersFullError: Too many listen.
            StoreFailedError
            ModuleDrainingError: The module stops.
        """
        with self._follow.events.listen() as heard:
            at = self._follow.tip.id if after is None else after
            final: BlockId | None = None
            while True:
                while at != self._follow.tip.id or final != self._follow.latest_immutable.id:
                    move = await self._next(at)
                    at, final = move.tip, move.final.id
                    yield move
                await news_or_end(heard.next(), self._stopping)
                while len(heard):
                    await heard.next()

    async def _next(self, at: BlockId) -> ChainMove:
        while True:
            removed, common = self._left(at)
            with suppress(BlockUnknownError):  # it was cut off meanwhile: the way is another
                if (views := await self._from(common)) is not None:
                    point = views[-1].outline
                    return ChainMove(
                        point.id,
                        point.height,
                        point.slot,
                        removed,
                        tuple(views[1:]),
                        self._follow.latest_immutable,
                    )

    async def _from(self, common: BlockId) -> list[BlockView] | None:
        """Returns a block and those after it; None if the chain has changed meanwhile."""
        first = await self._explore.block(common)
        ids = await self._explore.ids(first.outline.height + 1, MAX_ADDED)
        views = [first, *[await self._explore.block(each) for each in ids]]
        is_whole = all(one.outline.id == next_.outline.parent for one, next_ in pairwise(views))
        return views if is_whole else None

    def _left(self, at: BlockId) -> tuple[tuple[BlockId, ...], BlockId]:
        """Returns what the local chain has left since a block, and the newest it has of it."""
        removed: list[BlockId] = []
        while not self._is_on_chain(at):
            found = self._follow.tree_block(at)
            if found is None:
                raise CursorUnknownError("the place is no block here any more: begin without one")
            removed.append(at)
            at = found.parent
        return tuple(removed), at

    def _is_on_chain(self, block: BlockId) -> bool:
        return self._follow.is_on_chain(block) or self._follow.is_final(block)
