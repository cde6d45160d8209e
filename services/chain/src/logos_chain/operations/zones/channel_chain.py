"""The node's chain as the machines of zones look at it: points, moves, and one channel's messages.

Spec: docs/protocol/zone-sdk.md, ZON-1 to ZON-3.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final

from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.errors import BlockUnknownError, ChannelUnknownError
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.ledger.types import Channel, UnspentNote
from logos_chain.core.ports import BlockOutline
from logos_chain.operations.exploring import ExploreOperations
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.watching import MAX_ADDED, WatchOperations
from logos_mantle.octets import ZERO
from logos_zone_sdk.core.errors import ChannelReservedError, CursorLostError, NodeBehindError
from logos_zone_sdk.core.messages import (
    ChainBlock,
    ChainMove,
    ChannelMessage,
    Point,
    messages_of,
)
from logos_zone_sdk.core.turns import ChannelView

AGAIN_S: Final = 0.1
"""Before moves are asked for again whose block has left the chain meanwhile."""


class ChannelChain:
    """One node's chain. Errors of all that reads blocks: StoreFailedError."""

    def __init__(
        self,
        follow: FollowOperations,
        explore: ExploreOperations,
        watch: WatchOperations,
        is_behind: Callable[[], bool],
    ) -> None:
        """
        Args:
            follow: The chain.
            explore: Its blocks by height.
            watch: How it goes on.
            is_behind: Whether the node still downloads it, so that it may not know a block yet.
        """
        self._follow = follow
        self._explore = explore
        self._watch = watch
        self._is_behind = is_behind

    @property
    def final(self) -> Point:
        """The newest final block."""
        return point_of(self._follow.latest_immutable)

    def require_whole(self) -> None:
        """Raises `NodeBehindError` while the node downloads the chain."""
        if self._is_behind():
            raise NodeBehindError("this node still downloads the chain")

    def lost(self, block: Point) -> CursorLostError | NodeBehindError:
        """Returns the error for a place that is no block of this node."""
        if self._is_behind():
            return NodeBehindError(f"this node does not know block {block.height} yet")
        return CursorLostError(f"block {block.height} of the cursor is not on the chain")

    async def knows(self, block: Point) -> bool:
        """Says whether a block is on the local chain, at this place; final or not."""
        try:
            found = await self._explore.block(BlockId(block.id))
        except BlockUnknownError:
            return False
        return found.is_on_chain and point_of(found.outline) == block

    async def outlines(self, first: int, limit: int) -> list[BlockOutline]:
        """Returns blocks of the local chain from a height on, at most so many, oldest first."""
        ids = await self._explore.ids(first, limit)
        return [(await self._explore.block(each)).outline for each in ids]

    async def point_at(self, height: int) -> Point:
        """Returns the block of a height on the local chain; raises `BlockUnknownError`."""
        return point_of((await self._explore.at_height(height)).outline)

    async def messages(self, channel: bytes, block: Point) -> tuple[ChannelMessage, ...]:
        """Returns a channel's messages in a block; raises `BlockUnknownError`."""
        found = await self._follow.block(BlockId(block.id))
        if found is None:
            raise BlockUnknownError("the block has left the chain meanwhile")
        return messages_of(
            channel,
            block,
            tuple([each for one in found.transactions for each in one.transaction.operations]),
        )

    async def view(self, channel: bytes) -> ChannelView | None:
        """Returns the channel at the tip; None: it does not exist."""
        found = await self._follow.at_tip(lambda ledger: ledger.channel(channel))
        seen = found.value
        if seen is None:
            return None
        return ChannelView(
            seen.keys,
            seen.tip,
            seen.tip_slot,
            seen.sequencer,
            seen.sequencer_since_slot,
            seen.posting_timeframe_slots,
            seen.posting_timeout_slots,
            found.tip,
        )

    async def governed(
        self, channel: bytes, notes: Sequence[bytes] = ()
    ) -> tuple[Channel, list[UnspentNote | None]]:
        """Returns a channel at the tip, and notes by their ids, None for one that is not there.

        Raises:
            ChannelReservedError, NodeBehindError, ChannelUnknownError
        """
        if channel == ZERO:
            raise ChannelReservedError("channel zero is the genesis'")
        self.require_whole()

        def read(ledger: Ledger) -> tuple[Channel | None, list[UnspentNote | None]]:
            return ledger.channel(channel), [ledger.note(each) for each in notes]

        found, there = (await self._follow.at_tip(read)).value
        if found is None:
            raise ChannelUnknownError("channel not found at the tip")
        return found, there

    async def moves(self, channel: bytes, after: bytes, final: Point) -> AsyncGenerator[ChainMove]:
        """Yields how the chain goes on, a block at a time, with the channel's messages in it.

        Args:
            channel: Its id, 32 bytes.
            after: Id of the block that the caller knows, 32 bytes.
            final: The newest final block that the caller knows.

        Raises:
            CursorUnknownError: `after` is no block of this node any more.
            BlockUnknownError: A block has left the chain while it was told of.
            ChainListenersFullError: Too many listen.
            ModuleDrainingError: The module stops.
        """
        async with aclosing(self._watch.moves(BlockId(after))) as told:
            async for move in told:
                removed, count = tuple(move.removed), len(move.added)
                if not count:
                    yield ChainMove(removed, (), point_of(move.final), has_more=False)
                for place, view in enumerate(move.added, 1):
                    is_last = place == count
                    # What is final is so as of the last block that was told of (ZON-3).
                    known = point_of(move.final) if is_last else final
                    block = await self._block(channel, view.outline)
                    has_more = not is_last or count >= MAX_ADDED
                    yield ChainMove(removed, (block,), known, has_more)
                    removed = ()
                final = point_of(move.final)

    async def _block(self, channel: bytes, outline: BlockOutline) -> ChainBlock:
        point = point_of(outline)
        messages = await self.messages(channel, point) if outline.transactions else ()
        return ChainBlock(point, outline.parent, outline.transactions, messages)


def point_of(block: TreeBlock | BlockOutline) -> Point:
    """Returns where a block is."""
    return Point(block.id, block.height, block.slot)
