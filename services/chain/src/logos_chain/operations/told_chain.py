"""The local chain as far as the mempool was told of it, and what it is to be told next.

Blocks are looked at, not events: so nothing is missed where events were lost, and many moves
become one where the mempool is behind.

Spec: docs/protocol/chain-mempool.md, MPL-15, MPL-16, MPL-21.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.mempool.types import Body, Included
from logos_chain.core.ports import ChainStore
from logos_chain.operations.following import FollowOperations
from logos_mantle.blocks import Block

MAX_ADDED: Final = 4096
"""Blocks that are told of at once: more than lie between the tip and the final ones. Of more, the
newest: what older ones hold is known by the store."""
MAX_TOLD: Final = 65_536
"""Blocks that are not final, by their ids: a bootstrap can have more."""


@dataclass(frozen=True, slots=True)
class Move:
    """What the mempool has to be told."""

    tip: TreeBlock
    common: BlockId
    """The newest block of both chains, or one below all that is told."""
    removed: tuple[Body, ...]
    """From the old tip down."""
    added: tuple[Included, ...]


class ToldChain:
    """The mempool's chain. The first id is of a block below those that it was told of."""

    def __init__(self, follow: FollowOperations, store: ChainStore, max_bytes: int) -> None:
        """
        Args:
            follow: The chain.
            store: Of the chain.
            max_bytes: Of blocks whose transactions come back at once; of more, the oldest ones.
        """
        self._follow = follow
        self._store = store
        self._max_bytes = max_bytes
        self._told: deque[BlockId] = deque()

    @property
    def is_behind(self) -> bool:
        """Whether there is something to be told."""
        return not self._told or self._told[-1] != self._follow.tip.id

    async def next(self) -> Move:
        """Returns the way to the present tip; raises StoreFailedError."""
        tip, removed = self._follow.tip, list[BlockId]()
        stop = next((each for each in reversed(self._told) if self._is_there(each)), None)
        for each in reversed(self._told):
            if each == stop:
                break
            removed.append(each)
        bodies = await self._bodies(removed)
        common, added = await self._above(tip.id, stop)
        return Move(tip, common if stop is None else stop, bodies, added)

    def tell(self, move: Move) -> None:
        """The mempool was told of a move."""
        for _ in move.removed:
            self._told.pop()
        if not self._told:
            self._told.append(move.common)
        self._told += [each.block for each in move.added]
        while len(self._told) > MAX_TOLD:
            self._told.popleft()

    def finals(self) -> list[BlockId]:
        """Returns blocks that were told of and are final on disk now, the oldest first; once."""
        final: list[BlockId] = []
        while len(self._told) > 1 and self._store.is_final(self._told[1]):
            self._told.popleft()
            final.append(self._told[0])
        return final

    def _is_there(self, block: BlockId) -> bool:
        return self._follow.is_on_chain(block) or self._store.is_final(block)

    async def _above(
        self, tip: BlockId, stop: BlockId | None
    ) -> tuple[BlockId, tuple[Included, ...]]:
        """Returns a block of the chain, and those after it up to the tip.

        Args:
            tip: The last of them.
            stop: The block to end at; None: the newest one that is final on disk.
        """
        added: deque[Included] = deque()
        at = tip
        while at != stop and len(added) < MAX_ADDED:
            is_end = stop is None and self._store.is_final(at)
            block = None if is_end else await self._store.block(at)
            if block is None:
                break
            added.appendleft(Included(at, block.transactions))
            at = block.parent
        return at, tuple(added)

    async def _bodies(self, removed: list[BlockId]) -> tuple[Body, ...]:
        """Reads the oldest first: what the others hold may follow it."""
        bodies: deque[Body] = deque()
        size_bytes = 0
        for each in reversed(removed):
            kept = None if size_bytes > self._max_bytes else await self._store.block(each)
            block = None if kept is None else await asyncio.to_thread(Block.decode, kept.raw)
            size_bytes += 0 if kept is None else len(kept.raw)
            bodies.appendleft(Body(each, () if block is None else block.transactions))
        return tuple(bodies)
