"""What is known of the chain of a node. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from logos.chain.v1 import chain_pb2 as pb
from logos_app.nodes.reading import milliseconds

BLOCKS: Final = 50
"""Of the local chain that are remembered, and shown as they come."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """Blocks that have left the local chain at once."""

    count: int
    at_ms: int
    height: int
    """Of the highest."""
    end: bytes
    """Its id."""


@dataclass(frozen=True, slots=True)
class ChainSeen:
    """The chain of a node, as the app saw it last."""

    info: pb.GetInfoResponse | None = None
    supply: pb.GetSupplyResponse | None = None
    blocks: tuple[pb.BlockSummary, ...] = ()
    """The newest of the local chain, newest first."""
    final: int = 0
    """Height of the newest final block."""
    final_id: bytes = b""
    """Its id, 32 bytes; empty: not known."""
    moved_ms: int = 0
    """When the chain was last heard of."""
    asked_ms: int = 0
    """When `info` was asked for."""
    is_followed: bool = False
    """Whether moves of the chain come in."""
    replaced: Replaced | None = None
    """The last time that blocks left the chain, as long as it could happen there again."""

    @property
    def tip(self) -> pb.BlockPoint | None:
        """The last block of the local chain."""
        if self.blocks:
            return self.blocks[0].point
        return None if self.info is None else self.info.tip

    @property
    def tip_ms(self) -> int:
        """When the slot of the last block began; 0 if that is not known."""
        return milliseconds(self.blocks[0].time) if self.blocks else 0

    def is_final(self, block: pb.BlockSummary) -> bool:
        """Whether a block of the local chain never leaves it, unless the node starts over."""
        return block.is_final or block.point.height <= self.final


def with_info(
    seen: ChainSeen, info: pb.GetInfoResponse, supply: pb.GetSupplyResponse | None, now_ms: int
) -> ChainSeen:
    """The chain after a node was asked where it stands; None: its supply was not asked for."""
    kept = seen.supply if supply is None else supply
    top = info.tip.height if info.HasField("tip") else None
    now = _raised(_standing(seen, (), top), info.final)
    return _settled(replace(now, info=info, supply=kept, asked_ms=now_ms))


def with_blocks(seen: ChainSeen, blocks: Iterable[pb.BlockSummary], now_ms: int) -> ChainSeen:
    """The chain after its newest blocks were listed."""
    listed = tuple(blocks)[:BLOCKS]
    now = _standing(seen, listed, listed[0].point.height if listed else None)
    for each in [each for each in listed if each.is_final][:1]:
        now = _raised(now, each.point)
    return replace(now, blocks=listed, moved_ms=now_ms)


def with_move(seen: ChainSeen, move: pb.WatchBlocksResponse, now_ms: int) -> ChainSeen:
    """The chain after it has gone on."""
    left = set(move.removed)
    stayed = [each for each in seen.blocks if each.point.id not in left]
    top = stayed[0].point.height if stayed else -1  # what a page has read may be newer than a move
    added = [each for each in reversed(move.added) if each.point.height > top]
    replaced = seen.replaced
    if move.removed:
        replaced = _replaced(seen.blocks, move.removed, now_ms)
    blocks = tuple([*added, *stayed][:BLOCKS])
    now = _standing(seen, blocks, blocks[0].point.height if blocks else None)
    now = _raised(now, move.final)
    return _settled(replace(now, blocks=blocks, moved_ms=now_ms, replaced=replaced))


def _raised(seen: ChainSeen, final: pb.BlockPoint) -> ChainSeen:
    """With a newer final block; an older one was said before what is known already."""
    if final.height < seen.final:
        return seen
    return replace(seen, final=final.height, final_id=final.id)


def _standing(seen: ChainSeen, blocks: Sequence[pb.BlockSummary], top: int | None) -> ChainSeen:
    """Without the final block that is not on the chain any more: the node has started over.

    Args:
        blocks: Of the local chain, now.
        top: The height of its tip; None: not known.
    """
    there = {each.point.id for each in blocks if each.point.height == seen.final}
    is_other = bool(there and seen.final_id) and seen.final_id not in there
    if is_other or (top is not None and top < seen.final):
        return replace(seen, final=0, final_id=b"")
    return seen


def _replaced(blocks: Sequence[pb.BlockSummary], removed: Sequence[bytes], now_ms: int) -> Replaced:
    end = removed[0]
    height = next((each.point.height for each in blocks if each.point.id == end), 0)
    return Replaced(len(removed), now_ms, height, end)


def _settled(seen: ChainSeen) -> ChainSeen:
    """Without what was replaced, once what is there instead is final."""
    if seen.replaced is None or seen.replaced.height > seen.final:
        return seen
    return replace(seen, replaced=None)
