"""Looks at blocks of the tree and of the final chain, as people do who explore it.

Spec: docs/protocol/chain-following.md, FOL-20; chain-checkpoints.md, CKP-10.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.errors import BlockBeforeCheckpointError, BlockUnknownError
from logos_chain.core.ports import BlockOutline, ChainStore
from logos_chain.operations.opening import OpenChain


@dataclass(frozen=True, slots=True)
class BlockView:
    """A block, and where it stands at present."""

    outline: BlockOutline
    time_ms: int
    """When its slot began, Unix time."""
    is_final: bool
    is_on_chain: bool
    confirmations: int
    """Blocks of the local chain from this one on, it included; 0: it is not on it."""


@dataclass(frozen=True, slots=True)
class Fork:
    """The end of one chain that is kept."""

    tip: TreeBlock
    common: TreeBlock
    """Where it has left the local chain; of the local one, its tip."""
    local_blocks: int
    """Of the local chain after that."""

    @property
    def blocks(self) -> int:
        """Of the fork after that."""
        return self.tip.height - self.common.height


class ExploreOperations:
    """Reads what one node keeps of its chain."""

    def __init__(self, chain: OpenChain) -> None:
        self._follower = chain.follower
        self._store: ChainStore = chain.store
        self._clock: SlotClock = chain.network.clock
        self.parameters: Parameters = chain.network.parameters
        self.first_height = chain.first_height
        """Of the oldest block that the node has: 0, or its checkpoint's."""

    @property
    def _tree(self) -> BlockTree:
        return self._follower.tree

    async def block(self, identifier: BlockId) -> BlockView:
        """Returns a block by its id; raises `BlockUnknownError`, StoreFailedError."""
        outline = await self._store.outline(identifier)
        if outline is None:
            raise BlockUnknownError(f"there is no such block here{self._unless_before()}")
        return self._view(outline)

    async def at_height(self, height: int) -> BlockView:
        """Returns the block of the local chain at a height.

        Raises:
            BlockBeforeCheckpointError: This node has never had it.
            BlockUnknownError, StoreFailedError
        """
        if height < self.first_height:
            raise BlockBeforeCheckpointError(
                f"the chain of this node begins with a checkpoint at block {self.first_height}: "
                "ask a node that has the whole chain"
            )
        ids = await self.ids(height, 1)
        if not ids:
            raise BlockUnknownError(f"the chain ends at height {self._follower.tip.height}")
        return await self.block(ids[0])

    async def page(self, newest: int | None, limit: int) -> list[BlockView]:
        """Returns blocks of the local chain from a height down, newest first.

        Args:
            newest: None: from the tip.
            limit: At most so many.
        """
        tip = self._follower.tip.height
        top = tip if newest is None else min(newest, tip)
        first = max(self.first_height, top + 1 - limit)
        ids = await self.ids(first, top + 1 - first)
        found = [await self._store.outline(each) for each in reversed(ids)]
        return [self._view(each) for each in found if each is not None]

    async def ids(self, first: int, limit: int) -> Sequence[BlockId]:
        """Returns ids of the local chain from a height on, at most so many, oldest first.

        Heights before a checkpoint have none.
        """
        begun = max(first, self.first_height)
        first, limit = begun, limit - (begun - first)
        if limit <= 0:
            return []
        while True:
            root, found = self._follower.latest_immutable, list[BlockId]()
            if first <= root.height:
                last = min(first + limit - 1, root.height)
                found += await self._store.final(first, last + 1 - first)
            if root.id == self._follower.latest_immutable.id:
                return self._with_tree(found, first, limit)

    def _with_tree(self, ids: list[BlockId], first: int, limit: int) -> Sequence[BlockId]:
        # What is final in the tree and not yet on disk is in the tree as well.
        tip = self._follower.tip
        last = min(tip.height, first + limit - 1)
        known = first + len(ids)
        if known > last:
            return ids
        newest = self._tree.ancestor(tip, last)
        oldest = self._tree.ancestor(tip, known - 1) if known else None
        if newest is None:
            return ids
        if oldest is None:
            return [*ids, newest.id] if known == last else ids
        return ids + [each.id for each in self._tree.path(oldest, newest)]

    def forks(self) -> list[Fork]:
        """Returns the ends of all chains, the local one first, then by height."""
        tip = self._follower.tip
        found = []
        for each in self._tree.tips():
            common = self._tree.common_ancestor(each, tip)
            found.append(Fork(each, common, tip.height - common.height))
        return sorted(found, key=lambda one: (one.tip.id != tip.id, -one.tip.height))

    def children(self, identifier: BlockId) -> list[BlockId]:
        """Returns the blocks of the tree that follow a block directly, at most 256."""
        tip = self._follower.tip
        ends = [tip, *self._tree.tips()]
        parent = self._tree.get(identifier)
        if parent is None:
            return []
        found = (self._tree.ancestor(each, parent.height + 1) for each in ends)
        children = (each.id for each in found if each is not None and each.parent == identifier)
        return list(islice(dict.fromkeys(children), 256))

    def _unless_before(self) -> str:
        before = f", if it is not before the checkpoint at block {self.first_height}"
        return before if self.first_height else ""

    def _view(self, block: BlockOutline) -> BlockView:
        tip, root = self._follower.tip, self._follower.latest_immutable
        found = self._tree.get(block.id)
        is_final = block.height <= root.height and (
            self._store.is_final(block.id) or block.id == root.id
        )
        is_on_chain = is_final or (found is not None and self._tree.is_ancestor(found, tip))
        return BlockView(
            block,
            self._clock.begins_ms(block.slot),
            is_final,
            is_on_chain,
            tip.height - block.height + 1 if is_on_chain else 0,
        )
