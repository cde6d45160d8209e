"""A zone's indexer at a node, by gRPC.

Spec: docs/protocol/zone-sdk.md, ZON-14 to ZON-18.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

import grpc

from logos_mantle.octets import ZERO
from logos_zone_sdk.core.errors import RangeInvalidError
from logos_zone_sdk.core.indexing import FinalReader, Found, LiveReader, Lost, Settled
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.core.places import Cursor
from logos_zone_sdk.feed import RECONNECT_S, chain_moves, wait_after
from logos_zone_sdk.node import NodeClient, to_point

Reader = TypeVar("Reader", FinalReader, LiveReader)


class ZoneIndexer:
    """Reads the messages of a channel in their order. One stream at a time."""

    def __init__(
        self, channel_id: bytes, node: grpc.aio.Channel, *, cursor: Cursor | None = None
    ) -> None:
        """Goes on from a cursor, or begins at the genesis.

        Args:
            channel_id: 32 bytes.
            node: A channel to the node.
            cursor: Of messages that were taken before.
        """
        self._node = NodeClient(channel_id, node)
        self._cursor = cursor

    @property
    def cursor(self) -> Cursor | None:
        """From where to go on, after all that was asked for; None: from the genesis.

        The message that a stream has yielded last is not behind it yet: its own cursor is.
        """
        return self._cursor

    async def skip_to_final(self) -> None:
        """Leaves out all that is final now; raises `AioRpcError`."""
        self._cursor = Cursor(ZERO, to_point((await self._node.info()).final))

    async def follow(self) -> AsyncGenerator[Found]:
        """Yields messages once they are final, for ever. Goes on when the node comes back.

        Raises:
            CursorLostError, ChainBrokenError, ChainUnfinalError, ChannelBrokenError
        """
        reader: FinalReader | None = None
        unread: deque[tuple[Point, bool]] = deque()
        while True:
            try:
                if reader is None:
                    reader, found = await self._resumed(FinalReader)
                    for each in found:
                        yield each
                        self._cursor = each.cursor
                async with aclosing(self._read(reader, unread)) as founds:
                    async for each in founds:
                        yield each
                await asyncio.sleep(RECONNECT_S)
            except grpc.aio.AioRpcError as error:
                if reader is None:
                    await asyncio.sleep(RECONNECT_S)
                elif await wait_after(error, self._node, reader.place, reader.base):
                    reader.rewound()

    async def follow_unfinal(self) -> AsyncGenerator[Found | Lost | Settled]:
        """Yields messages at once, and what becomes of them, for ever; raises as `follow`."""
        reader: LiveReader | None = None
        while True:
            try:
                if reader is None:
                    reader, found = await self._resumed(LiveReader)
                    for each in found:
                        yield each
                        self._cursor = each.cursor
                base = reader.cursor.block
                async with chain_moves(self._node, reader.place, base, with_messages=True) as moves:
                    async for move in moves:
                        for told in reader.moved(move):
                            yield told
                        self._cursor = reader.cursor
                await asyncio.sleep(RECONNECT_S)
            except grpc.aio.AioRpcError as error:
                if reader is None:
                    await asyncio.sleep(RECONNECT_S)
                elif await wait_after(error, self._node, reader.place, reader.base):
                    for told in reader.rewound():
                        yield told

    async def scan(self, first_height: int, last_height: int) -> AsyncGenerator[Found]:
        """Yields the final messages of a range of heights; the cursor says how far it came.

        Args:
            first_height: Of the first block.
            last_height: Of the last block, it included.

        Raises:
            RangeInvalidError
            AioRpcError: The connection is broken; go on from the cursor.
            ChainBrokenError, ChannelBrokenError
        """
        if not 0 <= first_height <= last_height:
            raise RangeInvalidError("a range begins at 0 or above, and does not end before")
        final = to_point((await self._node.info()).final)
        below = min(max(0, first_height - 1), final.height)
        reader = FinalReader(Cursor(ZERO, await self._node.point_at(below)))
        self._cursor = reader.cursor
        last_height = min(last_height, final.height)
        if below >= last_height:
            return
        async with aclosing(self._read(reader, deque(), last_height)) as founds:
            async for each in founds:
                yield each

    async def _start(self) -> Cursor:
        if self._cursor is None:
            self._cursor = Cursor(ZERO, await self._node.point_at(0))
        return self._cursor

    async def _resumed(self, kind: type[Reader]) -> tuple[Reader, list[Found]]:
        """Returns a reader at the cursor, and what of the cursor's block was not read."""
        reader = kind(await self._start())
        block = reader.cursor.block
        return reader, reader.resume(await self._node.messages(block) if block.height else ())

    async def _read(
        self,
        reader: FinalReader,
        unread: deque[tuple[Point, bool]],
        last_height: int | None = None,
    ) -> AsyncGenerator[Found]:
        """Yields messages of final blocks up to a height, or for ever.

        Args:
            reader: At the cursor.
            unread: Final blocks that were told of; they stay, if the connection breaks.
            last_height: None: none is the last.
        """
        base = reader.cursor.block
        async with chain_moves(self._node, reader.place, base, with_messages=False) as moves:
            while True:
                while unread:
                    point, is_written = unread[0]
                    messages = await self._node.messages(point) if is_written else ()
                    unread.popleft()
                    for each in reader.read(point, messages):
                        yield each
                        self._cursor = each.cursor
                    self._cursor = reader.cursor
                    if point.height == last_height:
                        return
                move = await anext(moves, None)
                if move is None:
                    return
                unread += reader.moved(move)
