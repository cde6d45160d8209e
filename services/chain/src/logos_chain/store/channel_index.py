"""`ChannelIndex` in the database: which final blocks have messages of which channel.

Spec: docs/protocol/chain-store.md, CHS-15, CHS-19; zone-sdk.md, ZON-19.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.zone_ports import ChannelBlock, IndexPage
from logos_chain.store.advice import Advice
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.schema import ChannelBlockRow, ChannelIndexRow
from logos_chain.store.seals import check_seal, seal_of
from logos_mantle import octets
from logos_mantle.octets import HASH_BYTES
from logos_module.database import Database, reading, table_of, writing

BLOCKS: Final = table_of(ChannelBlockRow)
INDEX: Final = table_of(ChannelIndexRow)
_ONE: Final = 1
_PAGE: Final = 200
"""Rows that are written by one statement: databases limit its parameters."""


class SqlChannelIndex:
    """`ChannelIndex`. One transaction a call."""

    def __init__(self, database: Database, advice: Advice) -> None:
        """Takes an open database with the tables of `SCHEMA`."""
        self.database = database
        self._advice = advice

    async def end(self) -> int:
        """Returns the height up to which all blocks were looked at; -1: none was.

        Raises:
            ChainStoreDamagedError: It is not what was written.
        """
        with self._advice.given():
            return await self._read_end()

    async def add(self, found: Sequence[ChannelBlock], end: int) -> None:
        """Adds what was found above the end, and moves the end; both, or nothing.

        Raises:
            ChainStoreDamagedError: The end is not what was written.
            ValueError: The end would not rise, or a block is not between the two.
        """
        rows = [_row(each) for each in dict.fromkeys(found)]
        with self._advice.given():
            await self._add(rows, u64(end))

    async def page(self, channel: bytes, first: int, limit: int) -> IndexPage:
        """Returns blocks with messages of a channel, from a height on.

        Raises:
            ChainStoreDamagedError: A row is not what was written.
        """
        with self._advice.given():
            rows, end = await self._rows(channel, u64(first), limit)
            heights = tuple([_height(each) for each in rows])
            return IndexPage(heights, heights[-1] if len(heights) >= limit else end)

    @reading
    async def _read_end(self, session: AsyncSession) -> int:
        return await _end(session)

    @writing
    async def _add(self, session: AsyncSession, rows: list[dict[str, Any]], end: bytes) -> None:
        before, after = await _end(session), read_u64(end)
        if after <= before or any(not before < read_u64(each["height"]) <= after for each in rows):
            raise ValueError("blocks that the index has, or does not come to")
        left = iter(rows)
        while page := list(islice(left, _PAGE)):
            await session.execute(insert(BLOCKS), page)
        await session.execute(delete(INDEX))
        seal = seal_of(INDEX.name, end)
        await session.execute(insert(INDEX).values(number=_ONE, height=end, seal=seal))

    @reading
    async def _rows(
        self, session: AsyncSession, channel: bytes, first: bytes, limit: int
    ) -> tuple[Sequence[Any], int]:
        is_wanted = (BLOCKS.c.channel == channel) & (BLOCKS.c.height >= first)
        wanted = select(BLOCKS).where(is_wanted).order_by(BLOCKS.c.height).limit(limit)
        return (await session.execute(wanted)).all(), await _end(session)


async def _end(session: AsyncSession) -> int:
    row = (await session.execute(select(INDEX))).one_or_none()
    if row is None:
        return -1
    height = whole(row.height)
    check_seal(row.seal, INDEX.name, height)
    return read_u64(height)


def _row(found: ChannelBlock) -> dict[str, Any]:
    channel = octets.fixed(found.channel, HASH_BYTES, "channel")
    height = u64(found.height)
    seal = seal_of(BLOCKS.name, channel, height)
    return {"channel": channel, "height": height, "seal": seal}


def _height(row: Any) -> int:
    height = whole(row.height)
    check_seal(row.seal, BLOCKS.name, whole(row.channel), height)
    return read_u64(height)
