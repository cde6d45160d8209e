"""The chain of a node as moves, in pieces that fit into memory, across broken connections.

Spec: docs/protocol/zone-sdk.md, ZON-2, ZON-3, ZON-18.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

import grpc

from logos.chain.v1 import chain_pb2 as pb
from logos_zone_sdk.core.errors import CursorLostError, NodeBehindError
from logos_zone_sdk.core.messages import ChainBlock, ChainMove, Point
from logos_zone_sdk.node import NodeClient, reason_of, to_point

RECONNECT_S: Final = 5.0
MAX_ADDED: Final = 100
"""Blocks in one response of `WatchBlocks`; with fewer it has reached the tip."""
PIECE_BYTES: Final = 4 * 1024 * 1024
"""Of blocks, about, that are read at once."""
CURSOR_UNKNOWN: Final = "CURSOR_UNKNOWN"


@asynccontextmanager
async def chain_moves(
    node: NodeClient, after: bytes, final: Point, *, with_messages: bool
) -> AsyncIterator[AsyncGenerator[ChainMove]]:
    """Opens a stream of moves, and ends it with the block.

    Args:
        node: Whose chain.
        after: Id of the block that the caller knows.
        final: The newest final block that the caller knows.
        with_messages: Whether the channel's messages are read.

    Raises (in the stream):
        AioRpcError: The stream has ended, or a block has gone that was to be read.
        ChainBrokenError
    """
    call = node.stub.WatchBlocks(pb.WatchBlocksRequest(after=after))
    try:
        async with aclosing(_moves(node, call, final, with_messages=with_messages)) as moves:
            yield moves
    finally:
        call.cancel()


async def is_behind(node: NodeClient) -> bool:
    """Returns whether a node still downloads the chain, so that it may not know a block yet."""
    try:
        await node.standing()
    except (grpc.aio.AioRpcError, NodeBehindError):
        return True
    return False


async def wait_after(
    error: grpc.aio.AioRpcError, node: NodeClient, place: bytes, base: bytes
) -> bool:
    """Waits before a stream is opened again; returns whether it must begin at the final block.

    Raises:
        CursorLostError: The node does not know the final block, and downloads nothing.
    """
    is_unknown = reason_of(error) == CURSOR_UNKNOWN
    if is_unknown and place == base and not await is_behind(node):
        raise CursorLostError("the node does not know the final block to go on from") from error
    await asyncio.sleep(RECONNECT_S)
    return is_unknown and place != base


async def _moves(
    node: NodeClient,
    call: AsyncIterable[pb.WatchBlocksResponse],
    final: Point,
    *,
    with_messages: bool,
) -> AsyncGenerator[ChainMove]:
    async for response in call:
        removed = tuple(response.removed)
        pieces = list(_pieces(list(response.added)))
        for place, piece in enumerate(pieces):
            is_last = place == len(pieces) - 1
            # What the node says of finality is as of the whole response (ZON-3).
            final = to_point(response.final) if is_last else final
            has_more = not is_last or len(response.added) >= MAX_ADDED
            added = [await _block(node, each, with_messages=with_messages) for each in piece]
            yield ChainMove(removed, tuple(added), final, has_more)
            removed = ()


async def _block(node: NodeClient, found: pb.BlockSummary, *, with_messages: bool) -> ChainBlock:
    point = to_point(found.point)
    is_read = with_messages and found.transactions
    messages = await node.messages(point) if is_read else ()
    return ChainBlock(point, found.parent, found.transactions, messages)


def _pieces(blocks: list[pb.BlockSummary]) -> Iterator[list[pb.BlockSummary]]:
    piece, size_bytes = list[pb.BlockSummary](), 0
    for each in blocks:
        if piece and size_bytes + each.size_bytes > PIECE_BYTES:
            yield piece
            piece, size_bytes = [], 0
        piece.append(each)
        size_bytes += each.size_bytes
    yield piece
