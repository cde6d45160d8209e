"""Reads a channel for callers: what is final from the index on, what is not from the chain's end.

Nothing is kept of a caller, and nothing is read before the caller takes it: at most one block.

Spec: docs/protocol/zone-sdk.md, ZON-14 to ZON-17, ZON-19, ZON-20.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from logos_chain.core.errors import BlockUnknownError, CursorUnknownError
from logos_chain.core.zone_ports import ChannelIndex
from logos_chain.operations.chain_events import ChainEvents, Listener
from logos_chain.operations.waiting import news_or_end
from logos_chain.operations.zones.channel_chain import AGAIN_S, ChannelChain, point_of
from logos_mantle.octets import ZERO
from logos_zone_sdk.core.errors import RangeInvalidError
from logos_zone_sdk.core.indexing import FinalReader, Found, LiveReader, Lost, Settled
from logos_zone_sdk.core.messages import ChannelMessage, Point
from logos_zone_sdk.core.places import Cursor

PART_BLOCKS: Final = 100
"""That are looked at between two cursors, if there is no message in them."""

Start = Cursor | int
"""A cursor, or the height of the first block."""


@dataclass(frozen=True, slots=True)
class Passed:
    """There is no more up to a place."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class _Part:
    """Final blocks that may have messages, and the last block of the part."""

    written: tuple[Point, ...]
    end: Point


class ReadOperations:
    """Reads the channels of one node's chain."""

    def __init__(
        self,
        chain: ChannelChain,
        index: ChannelIndex,
        events: ChainEvents,
        stopping: asyncio.Event,
    ) -> None:
        """
        Args:
            chain: Of the node.
            index: Of its final part.
            events: Of the chain.
            stopping: Set when the module is to stop.
        """
        self._chain = chain
        self._index = index
        self._events = events
        self._stopping = stopping

    async def scan(
        self, channel: bytes, start: Start | None, last_height: int | None
    ) -> AsyncGenerator[Found | Passed]:
        """Yields the messages of final blocks, and how far it came (ZON-17).

        Args:
            channel: Its id, 32 bytes.
            start: None: from the genesis.
            last_height: Of the last block; None: the newest final one.

        Raises:
            RangeInvalidError
            CursorLostError, NodeBehindError, ChannelBrokenError
            ChainListenersFullError, ModuleDrainingError, StoreFailedError
        """
        if isinstance(start, int) and last_height is not None and last_height < start:
            raise RangeInvalidError("a range does not end before it begins")
        with self._events.listen():  # so there are no more of them than a node serves
            reader, rest = await self._resumed(channel, start or 0)
            for found in rest:
                yield found
            final = self._chain.final.height
            last = final if last_height is None else min(last_height, final)
            async with aclosing(self._read(channel, reader, last)) as told:
                async for each in told:
                    yield each
            yield Passed(reader.cursor)

    async def follow(self, channel: bytes, start: Start | None) -> AsyncGenerator[Found | Passed]:
        """Yields messages as they become final, until the module stops (ZON-16).

        Args:
            channel: Its id, 32 bytes.
            start: None: after the newest final block.

        Raises:
            CursorLostError, NodeBehindError, ChannelBrokenError
            ChainListenersFullError, ModuleDrainingError, StoreFailedError
        """
        with self._events.listen() as heard:
            reader, rest = await self._resumed(channel, start)
            for found in rest:
                yield found
            while True:
                async with aclosing(self._read(channel, reader, self._chain.final.height)) as told:
                    async for each in told:
                        yield each
                await self._news(heard)

    async def follow_unfinal(
        self, channel: bytes, start: Start | None
    ) -> AsyncGenerator[Found | Lost | Settled | Passed]:
        """Yields messages at once, and what becomes of them; arguments and errors as `follow`."""
        with self._events.listen():
            before, rest = await self._resumed(channel, start)
            for found in rest:
                yield found
            async with aclosing(self._read(channel, before, self._chain.final.height)) as told:
                async for each in told:
                    yield each
        reader = LiveReader(before.cursor)
        while True:
            try:
                async with aclosing(self._live(channel, reader)) as events:
                    async for event in events:
                        yield event
            except BlockUnknownError:
                await asyncio.sleep(AGAIN_S)  # the chain has another way on from the same place
            except CursorUnknownError:
                if reader.place == reader.base:
                    raise self._chain.lost(reader.cursor.block) from None
                for lost in reader.rewound():
                    yield lost

    # -- where to begin ------------------------------------------------------------------------

    async def _resumed(
        self, channel: bytes, start: Start | None
    ) -> tuple[FinalReader, list[Found]]:
        """Returns a reader at the start, and what of a cursor's block was not read."""
        reader = FinalReader(await self._begin(start))
        if reader.cursor.message == ZERO:
            return reader, []
        return reader, reader.resume(await self._messages(channel, reader.cursor.block))

    async def _begin(self, start: Start | None) -> Cursor:
        if start is None:
            return Cursor(ZERO, self._chain.final)
        if isinstance(start, int):
            below = min(max(0, start - 1), self._chain.final.height)
            return Cursor(ZERO, await self._chain.point_at(below))
        if not await self._chain.knows(start.block):
            raise self._chain.lost(start.block)
        return start

    # -- what is final -------------------------------------------------------------------------

    async def _read(
        self, channel: bytes, reader: FinalReader, last: int
    ) -> AsyncGenerator[Found | Passed]:
        """Yields what is between a reader's cursor and a final height, and moves the cursor."""
        block = reader.cursor.block
        if block.height < last and await self._chain.point_at(block.height) != block:
            raise self._chain.lost(block)  # it was not final here yet, and has left the chain
        while reader.cursor.block.height < last:
            part = await self._part(channel, reader.cursor.block.height + 1, last)
            for point in part.written:
                for each in reader.read(point, await self._messages(channel, point)):
                    yield each
            told = reader.cursor
            reader.read(part.end, ())
            if reader.cursor != told:
                yield Passed(reader.cursor)

    async def _part(self, channel: bytes, first: int, last: int) -> _Part:
        page = await self._index.page(channel, first, PART_BLOCKS)
        if page.end < first:
            found = await self._chain.outlines(first, min(PART_BLOCKS, last + 1 - first))
            points = [point_of(each) for each in found]
            written = [point_of(each) for each in found if each.transactions]
            return _Part(tuple(written), points[-1])
        end = min(page.end, last)
        heights = [each for each in page.heights if each <= end]
        points = [await self._chain.point_at(each) for each in heights]
        return _Part(tuple(points), await self._chain.point_at(end))

    async def _messages(self, channel: bytes, block: Point) -> tuple[ChannelMessage, ...]:
        try:
            return await self._chain.messages(channel, block)
        except BlockUnknownError as error:
            raise self._chain.lost(block) from error

    async def _news(self, heard: Listener) -> None:
        await news_or_end(heard.next(), self._stopping)
        while len(heard):
            await heard.next()

    # -- what is not ---------------------------------------------------------------------------

    async def _live(
        self, channel: bytes, reader: LiveReader
    ) -> AsyncGenerator[Found | Lost | Settled | Passed]:
        cursor = reader.cursor
        moves = self._chain.moves(channel, reader.place, cursor.block)
        async with aclosing(moves) as told:
            async for move in told:
                events = reader.moved(move)
                for each in events:
                    yield each
                if reader.cursor != cursor:
                    cursor = reader.cursor
                    if not events or not isinstance(events[-1], Settled):
                        yield Passed(cursor)
