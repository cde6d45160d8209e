"""`NodeMarks` in the database: small facts of a node for its next start.

Spec: docs/protocol/chain-store.md, CHS-15.
"""

from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.store.advice import Advice
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.schema import NodeMarkRow
from logos_chain.store.seals import check_seal, seal_of
from logos_module.database import Database, reading, table_of, writing

MARKS: Final = table_of(NodeMarkRow)


class SqlNodeMarks:
    """`NodeMarks`. One transaction a call."""

    def __init__(self, database: Database, advice: Advice) -> None:
        """Takes an open database with the tables of `SCHEMA`."""
        self.database = database
        self._advice = advice

    async def number(self, name: str) -> int | None:
        """Returns a number of 64 bits; raises `ChainStoreDamagedError`."""
        row = await self._row(name)
        if row is None:
            return None
        with self._advice.given():
            number = whole(row.number)
            check_seal(row.seal, MARKS.name, name.encode(), number)
            return read_u64(number)

    async def put(self, name: str, number: int) -> None:
        """Puts a number; raises `ValueUnencodableError` if it has not 64 bits."""
        await self._put(name, u64(number))

    @reading
    async def _row(self, session: AsyncSession, name: str) -> Any:
        return (await session.execute(select(MARKS).where(MARKS.c.name == name))).one_or_none()

    @writing
    async def _put(self, session: AsyncSession, name: str, number: bytes) -> None:
        await session.execute(delete(MARKS).where(MARKS.c.name == name))
        seal = seal_of(MARKS.name, name.encode(), number)
        await session.execute(insert(MARKS).values(name=name, number=number, seal=seal))
