"""How far a transaction has come, also where the mempool has forgotten it or never knew it.

Spec: docs/protocol/chain-mempool.md, MPL-17 to MPL-19, MPL-25.
"""

from collections.abc import Callable
from dataclasses import dataclass

from logos_chain.core.consensus.types import BlockId
from logos_chain.core.mempool.types import Stage, Status
from logos_chain.core.ports import ChainStore
from logos_chain.operations.following import FollowOperations


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """A status, and how deep its block lies."""

    status: Status
    confirmations: int | None = None
    """Blocks of the local chain after its own; None: it is in no block."""
    height: int | None = None
    """Of its block."""


class TransactionStatuses:
    """What the mempool knows of transactions, joined with what the disk does."""

    def __init__(
        self,
        known: Callable[[bytes], Status | None],
        follow: FollowOperations,
        store: ChainStore,
        *,
        safe_blocks: int,
    ) -> None:
        """
        Args:
            known: `MempoolOperations.status`.
            follow: The chain.
            store: Of the chain.
            safe_blocks: After as many more blocks, a transaction is SAFE: `Limits.safe_blocks`.
        """
        self._known = known
        self._follow = follow
        self._store = store
        self._safe_blocks = safe_blocks

    async def status_of(self, identifier: bytes) -> TransactionStatus | None:
        """Returns the status of a transaction by its hash, 32 bytes; None: no block has it, it
        does not wait, and nothing is known of it. Raises StoreFailedError.
        """
        for block in await self._store.containing(identifier):
            found = await self._in(block, identifier)
            if found is not None:
                return found
        known = self._known(identifier)
        if known is None or known.stage not in {Stage.PENDING, Stage.DROPPED}:
            return None  # its block has just left the chain, and it was not looked at again yet
        return TransactionStatus(known)

    async def _in(self, block: BlockId, identifier: bytes) -> TransactionStatus | None:
        """Returns the status of a transaction of a block, if that is of the local chain."""
        is_final = self._store.is_final(block)
        if not is_final and not self._follow.is_on_chain(block):
            return None
        there = self._follow.tree_block(block)
        height = None if there is None else there.height
        if height is None:
            outline = await self._store.outline(block)
            if outline is None:
                return None
            height = outline.height
        depth = max(0, self._follow.tip.height - height)
        status = Status(self._stage(block, identifier, depth), block)
        return TransactionStatus(status, depth, height)

    def _stage(self, block: BlockId, identifier: bytes, depth: int) -> Stage:
        """A block that has become safe stays so until it leaves the chain (MPL-18)."""
        if self._store.is_final(block):
            return Stage.FINAL
        was_safe = self._known(identifier) == Status(Stage.SAFE, block)
        return Stage.SAFE if was_safe or depth >= self._safe_blocks else Stage.INCLUDED
