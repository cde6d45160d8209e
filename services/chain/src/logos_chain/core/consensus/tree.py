"""The tree of blocks that can still become the chain, and the chain's end below it.

Every block has its height, and one way to skip back to the height that is its own with the lowest
bit cleared; so ancestors are found in some log(n)^2 steps, also when a fork of 100,000 blocks is
being judged. Blocks outside the tree's root are gone for good: `advance_root` cuts what does not
descend from the new one.

Memory: about 600 bytes a block. Beside the local chain, at most `max_side_blocks` and `MAX_TIPS`
tips are kept; beyond that, the tip that was extended longest ago loses its last block (CON-25).

Spec: docs/protocol/chain-consensus.md, CON-20 to CON-26.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from logos_chain.core.consensus.epochs import BlockState
from logos_chain.core.consensus.types import BlockId

MAX_TIPS: Final = 256
MAX_SIDE_BLOCKS: Final = 50_000


@dataclass(frozen=True, slots=True)
class TreeBlock:
    """A valid block."""

    id: BlockId
    parent: BlockId
    height: int
    """Blocks before it; the genesis has 0."""
    state: BlockState
    leader_key: bytes
    arrival: int = 0
    """Its place in the order of arrivals here."""
    skip: BlockId | None = None
    """The ancestor at the height whose lowest bit is cleared."""

    @property
    def slot(self) -> int:
        """The block's slot."""
        return self.state.slot


class FinalChain(Protocol):
    """The final blocks that are stored, below the tree's root."""

    def is_final(self, block: BlockId) -> bool:
        """Says, at once, whether a block is stored as final. Asked for parents of orphans."""
        ...


class BlockTree:
    """The blocks from the root on, and the ancestors of the root that uncles may need."""

    def __init__(
        self,
        root: TreeBlock,
        *,
        below: Iterable[TreeBlock] = (),
        keep_slots: int = 0,
        max_side_blocks: int = MAX_SIDE_BLOCKS,
        final: FinalChain | None = None,
    ) -> None:
        """Makes a tree of one block.

        Args:
            root: The latest immutable block: the genesis, a checkpoint, or what was stored.
            below: Its ancestors, oldest first, as far as they are known and needed.
            keep_slots: Ancestors of the root are kept for so many slots before it.
            max_side_blocks: Blocks that are not ancestors of the local tip.
            final: Tells a fork that left long ago from one whose parent is still to come.
        """
        below = tuple(below)
        self._keep_slots = keep_slots
        self._max_side_blocks = max_side_blocks
        self._final = final
        self._arrivals = root.arrival
        self._blocks = {block.id: block for block in (*below, root)}
        self._below = dict.fromkeys(block.id for block in below)
        self._children: dict[BlockId, int] = {}
        """Of blocks with more than one; others have one, or are tips."""
        self._tips = {root.id}
        self.root = root

    def __contains__(self, block_id: BlockId) -> bool:
        """Says whether it is the root or descends from it."""
        return block_id in self._blocks and block_id not in self._below

    def __len__(self) -> int:
        """The root and all blocks that descend from it."""
        return len(self._blocks) - len(self._below)

    @property
    def oldest(self) -> TreeBlock:
        """The oldest ancestor of the root that is kept here, or the root."""
        return self._blocks[next(iter(self._below), self.root.id)]

    def get(self, block_id: BlockId) -> TreeBlock | None:
        """Returns a block of the tree, or one of the root's kept ancestors."""
        return self._blocks.get(block_id)

    def is_below(self, block_id: BlockId) -> bool:
        """Says whether it is an ancestor of the root, kept here or stored."""
        if block_id in self._blocks or self._final is None:
            return block_id in self._below
        return self._final.is_final(block_id)

    def tips(self) -> list[TreeBlock]:
        """Returns the blocks without children, first seen first."""
        return sorted((self._blocks[each] for each in self._tips), key=lambda each: each.arrival)

    def add(
        self, block_id: BlockId, parent_id: BlockId, state: BlockState, key: bytes
    ) -> TreeBlock:
        """Adds a valid block whose parent is in the tree; it has not been there."""
        parent = self._blocks[parent_id]
        if parent_id in self._below or block_id in self._blocks:
            raise ValueError("a block that is there, or whose parent is below the root")
        self._arrivals += 1
        height = parent.height + 1
        skipped = self.ancestor(parent, height & (height - 1))
        block = TreeBlock(
            block_id,
            parent_id,
            height,
            state,
            key,
            self._arrivals,
            None if skipped is None else skipped.id,
        )
        if parent_id in self._tips:
            self._tips.discard(parent_id)
        else:
            self._children[parent_id] = self._children.get(parent_id, 1) + 1
        self._blocks[block_id] = block
        self._tips.add(block_id)
        return block

    def ancestor(self, block: TreeBlock, height: int) -> TreeBlock | None:
        """Returns the ancestor, or the block itself, at a height; None below what is kept."""
        found: TreeBlock | None = block
        while found is not None and found.height > height:
            skipped = self._skip(found)
            if skipped is None or skipped.height < height:
                skipped = self._blocks.get(found.parent)
            found = skipped
        return found

    def is_ancestor(self, older: TreeBlock, newer: TreeBlock) -> bool:
        """Says whether a chain leads from `newer` to `older`, or they are the same."""
        found = self.ancestor(newer, older.height)
        return found is not None and found.id == older.id

    def common_ancestor(self, one: TreeBlock, other: TreeBlock) -> TreeBlock:
        """Returns the newest block on both chains; both descend from the root."""
        height = min(one.height, other.height)
        left, right = self._at(one, height), self._at(other, height)
        while left.id != right.id:
            left_skip, right_skip = self._skip(left), self._skip(right)
            if left_skip and right_skip and left_skip.id != right_skip.id:
                left, right = left_skip, right_skip
            else:
                left, right = self._blocks[left.parent], self._blocks[right.parent]
        return left

    def last_until(self, block: TreeBlock, slot: int) -> TreeBlock | None:
        """Returns the newest block of a chain whose slot is not after `slot`."""
        found: TreeBlock | None = block
        while found is not None and found.slot > slot:
            skipped = self._skip(found)
            if skipped is None or skipped.slot <= slot:
                skipped = self._blocks.get(found.parent)
            found = skipped
        return found

    def path(self, older: TreeBlock, newer: TreeBlock) -> list[TreeBlock]:
        """Returns the blocks after `older`, its descendant `newer` last."""
        found = [newer] if newer.id != older.id else []
        while found and found[-1].parent != older.id:
            found.append(self._blocks[found[-1].parent])
        return found[::-1]

    def advance_root(self, root: TreeBlock) -> list[TreeBlock]:
        """Makes a descendant of the root the root; returns the blocks that were cut off.

        The ancestors of the new root are not among them: they are final.
        """
        passed = [self.root, *self.path(self.root, root)[:-1]] if root.id != self.root.id else []
        self._below |= dict.fromkeys(each.id for each in passed)
        cut: list[TreeBlock] = []
        for tip in self.tips():
            if not self.is_ancestor(root, tip):
                cut += self._cut(tip)
        for each in passed:
            self._children.pop(each.id, None)
        self.root = root
        for stale in [one for one in self._below if self._is_stale(one)]:
            del self._below[stale], self._blocks[stale]
        return cut

    def shrink(self, tip: TreeBlock) -> list[TreeBlock]:
        """Removes what is over the bounds beside the local chain that ends with `tip`."""
        removed: list[TreeBlock] = []
        while (
            len(self) - (tip.height - self.root.height + 1) > self._max_side_blocks
            or len(self._tips) > MAX_TIPS
        ):
            removed.append(self._drop_leaf(next(each for each in self.tips() if each.id != tip.id)))
        return removed

    def _is_stale(self, block_id: BlockId) -> bool:
        return self._blocks[block_id].slot < self.root.slot - self._keep_slots

    def _cut(self, tip: TreeBlock) -> list[TreeBlock]:
        """Removes a fork, down to a block that has other children or is below the root."""
        cut, block = [], tip
        while True:
            cut.append(self._drop_leaf(block))
            parent = self._blocks[block.parent]
            if parent.id not in self._tips or parent.id in self._below:
                return cut
            block = parent

    def _drop_leaf(self, leaf: TreeBlock) -> TreeBlock:
        self._tips.discard(leaf.id)
        del self._blocks[leaf.id]
        children = self._children.get(leaf.parent, 1) - 1
        if children > 1:
            self._children[leaf.parent] = children
        else:
            self._children.pop(leaf.parent, None)
        if not children:
            self._tips.add(leaf.parent)
        return leaf

    def _skip(self, block: TreeBlock) -> TreeBlock | None:
        return None if block.skip is None else self._blocks.get(block.skip)

    def _at(self, block: TreeBlock, height: int) -> TreeBlock:
        found = self.ancestor(block, height)
        if found is None:
            raise ValueError("a block that does not descend from the root")
        return found
