"""What a simulated node's store holds: each call is whole or nothing, and durable at once.

It stands for `logos_chain.core.ports.ChainStore`, which has its own tests with real disks and
kills. A node that restarts has this and nothing else.
"""

from collections.abc import Iterable, Sequence

from chain_claims import Parcel
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId


class Kept:
    """A chain on disk, and the small facts beside it."""

    def __init__(self, genesis: TreeBlock, keep_slots: int) -> None:
        self.root = genesis
        self.below: tuple[TreeBlock, ...] = ()
        """Ancestors of the root that uncles may need."""
        self.parcels: dict[BlockId, Parcel] = {}
        """All blocks but the genesis, final or not."""
        self.last_online_ms: int | None = None
        self.signed: set[tuple[int, bytes]] = set()
        """Slots and notes that were signed for (LEA-8)."""
        self._keep_slots = keep_slots
        self._final = [genesis.id]
        self._heights = {genesis.id: 0}
        self._unsettled: dict[BlockId, None] = {}

    def is_final(self, block: BlockId) -> bool:
        height = self._heights.get(block)
        return height is not None and height < len(self._final) and self._final[height] == block

    def final_at(self, height: int) -> BlockId:
        return self._final[height]

    def agrees_with(self, other: "Kept") -> bool:
        """Returns whether one of two final chains begins with the other."""
        height = min(self.root.height, other.root.height)
        return self._final[height] == other.final_at(height)

    def unsettled(self) -> list[Parcel]:
        """Blocks that are not final, in the order in which they were added."""
        return [self.parcels[each] for each in self._unsettled]

    def add(self, parcel: Parcel) -> bool:
        """Keeps a valid block; False: its parent is not kept."""
        above = self._heights.get(parcel.parent)
        if above is None:
            return False
        if parcel.id not in self._heights:
            self.parcels[parcel.id] = parcel
            self._heights[parcel.id] = above + 1
            self._unsettled[parcel.id] = None
        return True

    def settle(self, blocks: Sequence[TreeBlock]) -> None:
        """Makes blocks final that follow the newest final one."""
        for each in blocks:
            if each.parent != self._final[-1]:
                raise ValueError("final blocks follow each other")
            self._final.append(each.id)
            del self._unsettled[each.id]
        past = (*self.below, self.root, *blocks)
        self.root = past[-1]
        oldest = self.root.slot - self._keep_slots
        self.below = tuple([each for each in past[:-1] if each.slot >= oldest])

    def drop(self, blocks: Iterable[BlockId]) -> None:
        """Forgets blocks that can never be final."""
        for each in blocks:
            if each in self._unsettled:
                del self._unsettled[each], self._heights[each], self.parcels[each]

    # -- `ServedChain` -------------------------------------------------------------------------

    def height_of(self, block: BlockId) -> int | None:
        return self._heights.get(block)

    def common_ancestor(self, one: BlockId, other: BlockId) -> BlockId:
        while one != other:
            left, right = self._heights[one], self._heights[other]
            if left >= right:
                one = self.parcels[one].parent
            if right >= left:
                other = self.parcels[other].parent
        return one

    def path(self, after: BlockId, until: BlockId, limit: int) -> list[BlockId]:
        found: list[BlockId] = []
        while until != after:
            found.append(until)
            until = self.parcels[until].parent
        return found[::-1][:limit]
