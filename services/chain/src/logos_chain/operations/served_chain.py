"""The blocks that a node has, as both sides of the synchronisation look at them.

Blocks above the newest final one, and some below it, are in the tree; the others are final and
stored. What a look at the tree needs of the store is read before: that never changes.

A node that began with a checkpoint has some ancestors of it in its tree, since uncles name them,
but not as blocks: it serves none of them.

Spec: docs/protocol/chain-consensus.md, CON-42, CON-48; chain-network.md, CNW-6;
chain-checkpoints.md, CKP-11.
"""

from collections.abc import Iterable, Mapping, Sequence

from logos_chain.core.consensus.follower import Follower
from logos_chain.core.consensus.sync.downloading import anchor_heights
from logos_chain.core.consensus.sync.messages import DownloadRequest, TipResponse
from logos_chain.core.consensus.sync.serving import MAX_SERVED, start_of
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import ChainStore
from logos_chain.operations.opening import OpenChain


class WholeChain:
    """All blocks of one node. Errors of all methods: StoreFailedError."""

    def __init__(self, chain: OpenChain) -> None:
        self._store = chain.store
        self._follower = chain.follower
        self._security_blocks = chain.network.parameters.security_blocks
        self._first_height = chain.first_height

    def tip(self) -> TipResponse:
        """Returns the end of the local chain."""
        tip = self._follower.tip
        return TipResponse(tip.id, tip.slot, tip.height)

    @property
    def final_slot(self) -> int:
        """The slot of the latest immutable block."""
        return self._follower.latest_immutable.slot

    def has(self, block: BlockId) -> bool:
        """Says whether a block is valid and here."""
        return self._follower.tree.get(block) is not None or self._store.is_final(block)

    async def raw(self, block: BlockId) -> bytes | None:
        """Returns a block as it came, at most 2,098,960 bytes; None: it is not here any more."""
        kept = await self._store.block(block)
        return None if kept is None else kept.raw

    async def for_request(self, request: DownloadRequest) -> "ServedView":
        """Returns what a peer's request can be answered from, at once."""
        named = (
            request.target,
            request.local_tip,
            request.latest_immutable,
            *request.additional,
        )
        heights = await self._final_heights(named)
        view = ServedView(self._follower, heights, self._first_height)
        if view.height_of(request.target) is not None:
            start = start_of(request, view)
            height = None if start is None else view.height_of(start)
            if height is not None:
                view.line = await self._final_line(height + 1, MAX_SERVED)
        return view

    async def for_run(self) -> "RunView":
        """Returns what a download asks of the chain; its deep anchors are those of now (CON-48)."""
        heights = anchor_heights(self._follower.tip.height, self._security_blocks)
        view = RunView(self._follower, self._store, self._security_blocks)
        for height in heights:
            if view.in_tree(height) is None:
                view.deep |= await self._final_line(height, 1)
        return view

    async def _final_heights(self, blocks: Iterable[BlockId]) -> dict[BlockId, int]:
        found: dict[BlockId, int] = {}
        for each in blocks:
            if self._follower.tree.get(each) is None and self._store.is_final(each):
                outline = await self._store.outline(each)
                if outline is not None:
                    found[each] = outline.height
        return found

    async def _final_line(self, first: int, limit: int) -> dict[int, BlockId]:
        oldest = self._follower.tree.oldest.height
        if not self._first_height <= first < oldest:
            return {}
        line = await self._store.final(first, min(limit, oldest - first))
        return dict(enumerate(line, first))


class ServedView:
    """`ServedChain` for one request."""

    def __init__(
        self, follower: Follower, final_heights: Mapping[BlockId, int], first_height: int = 0
    ) -> None:
        self._follower = follower
        self._first_height = first_height
        self._final_heights = final_heights
        """Of the named blocks that are not in the tree."""
        self.line: Mapping[int, BlockId] = {}
        """Final blocks that are not in the tree, by height."""

    def height_of(self, block: BlockId) -> int | None:
        """Returns how many blocks stand before it; None: it is not here."""
        found = self._follower.tree.get(block)
        if found is None:
            return self._final_heights.get(block)
        return found.height if found.height >= self._first_height else None

    def common_ancestor(self, one: BlockId, other: BlockId) -> BlockId:
        """Returns the newest block on both chains; both blocks are here."""
        tree = self._follower.tree
        left, right = tree.get(one), tree.get(other)
        if left is not None and right is not None and one in tree and other in tree:
            return tree.common_ancestor(left, right).id
        # One of them is final, so all of its height or more descend from it.
        return min((self.height_of(each) or 0, each) for each in (one, other))[1]

    def path(self, after: BlockId, until: BlockId, limit: int) -> Sequence[BlockId]:
        """Returns the first `limit` blocks after an ancestor of `until`, oldest first."""
        first, last = (self.height_of(after) or 0) + 1, self.height_of(until) or 0
        last = min(last, first + limit - 1)
        found = self._in_tree(until, first, last)
        path: list[BlockId] = []
        for height in range(first, last + 1):
            block = found.get(height) or self.line.get(height)
            if block is None:
                break
            path.append(block)
        return path

    def _in_tree(self, until: BlockId, first: int, last: int) -> dict[int, BlockId]:
        tree = self._follower.tree
        end = tree.get(until)
        block: TreeBlock | None = None if end is None else tree.ancestor(end, last)
        found: dict[int, BlockId] = {}
        while block is not None and block.height >= first:
            found[block.height] = block.id
            block = tree.get(block.parent)
        return found


class RunView:
    """`KnownChain` for one download."""

    def __init__(self, follower: Follower, store: ChainStore, security_blocks: int) -> None:
        self._follower = follower
        self._store = store
        self._security_blocks = security_blocks
        self.deep: dict[int, BlockId] = {}
        """Anchors that are not in the tree, by height."""

    def has(self, block: BlockId) -> bool:
        """Says whether a block is in the tree, or on the stored chain below it."""
        return self._follower.tree.get(block) is not None or self._store.is_final(block)

    def local_tip(self) -> BlockId:
        """Returns the tip of the local chain."""
        return self._follower.tip.id

    def latest_immutable(self) -> BlockId:
        """Returns the latest immutable block."""
        return self._follower.latest_immutable.id

    def anchors(self) -> Sequence[BlockId]:
        """Returns blocks of the local chain that lie further and further back (CON-48)."""
        heights = anchor_heights(self._follower.tip.height, self._security_blocks)
        found = (self.in_tree(each) or self._stored(each) for each in heights)
        return list(dict.fromkeys(each for each in found if each is not None))

    def in_tree(self, height: int) -> BlockId | None:
        """Returns the local chain's block at a height; None: the tree does not have it."""
        found = self._follower.tree.ancestor(self._follower.tip, height)
        return None if found is None else found.id

    def _stored(self, height: int) -> BlockId | None:
        """The chain has grown since the anchors were read: the next older one is as good."""
        older = [each for each in self.deep if each <= height]
        return self.deep[max(older)] if older else None
