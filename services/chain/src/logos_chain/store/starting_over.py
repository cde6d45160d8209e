"""Gives a chain up, for a start from its genesis: all that follows from its blocks, at once.

What does not follow from them stays: for which slots the node has signed, numbers of vouchers and
keys, watched keys, what the wallets have submitted and is not final, what waits in the mempool, and
the sequencers.

Spec: docs/protocol/chain-store.md, CHS-21; chain-consensus.md, CON-51, CON-52.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import Executable, delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.node_ports import ASKED, GIVEN_UP, START_OVER_MARK
from logos_chain.store import schema
from logos_chain.store.advice import Advice
from logos_chain.store.node_marks import MARKS
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.seals import check_seal, seal_of
from logos_chain.store.wallets import drop_fulfilled, keep_numbers
from logos_module.database import Database, reading, table_of, writing

_OF_THE_CHAIN: Final = (
    *(
        table_of(each)
        for each in (
            schema.BlockTransactionRow,
            schema.BlockRow,
            schema.SettledRow,
            schema.SnapshotsRow,
            schema.AncestorRow,
            schema.CheckpointRow,
            schema.AgedPathRow,
            schema.WalletStateRow,
            schema.WalletEntryRow,
            schema.RegistryStateRow,
            schema.ChannelBlockRow,
            schema.ChannelIndexRow,
        )
    ),
    *schema.LEDGER.values(),
)
"""Emptied whole."""


TELL_S: Final = 10.0
"""A module that says nothing for a minute is taken for one that cannot start (KER-4)."""


class SqlStartingOver:
    """What an operator's order to start over does to the database, when it is opened."""

    def __init__(self, database: Database, advice: Advice, status: Callable[[str], None]) -> None:
        """
        Args:
            database: Open, with the tables of `SCHEMA`.
            advice: On its damage.
            status: Is told of the giving up, with another text each time.
        """
        self.database = database
        self._advice = advice
        self._status = status

    async def run(self) -> bool:
        """Gives the chain up if that was ordered, in one transaction; returns whether it was.

        Raises:
            ChainStoreDamagedError: The order is not what was written.
            DiskFullError, StoreFailedError: Nothing was done.
        """
        with self._advice.given():
            if not await self._is_asked():
                return False
            failure: Exception | None = None
            async with asyncio.TaskGroup() as tasks:
                telling = tasks.create_task(self._tell())
                try:
                    await self._give_up()
                except Exception as error:  # noqa: BLE001 -- raised again, not in a group
                    failure = error
                telling.cancel()
            if failure is not None:
                raise failure
            return True

    async def _tell(self) -> None:
        seconds = 0.0
        while True:
            self._status(f"it gives its chain up: {seconds:.0f} s")
            await asyncio.sleep(TELL_S)
            seconds += TELL_S

    @reading
    async def _is_asked(self, session: AsyncSession) -> bool:
        wanted = select(MARKS).where(MARKS.c.name == START_OVER_MARK)
        row = (await session.execute(wanted)).one_or_none()
        if row is None:
            return False
        number = whole(row.number)
        check_seal(row.seal, MARKS.name, START_OVER_MARK.encode(), number)
        return read_u64(number) == ASKED

    @writing
    async def _give_up(self, session: AsyncSession) -> None:
        await keep_numbers(session)
        await drop_fulfilled(session)
        for each in _emptying(session.get_bind().dialect.name):
            await session.execute(each)
        name, done = START_OVER_MARK, u64(GIVEN_UP)
        await session.execute(delete(MARKS).where(MARKS.c.name == name))
        seal = seal_of(MARKS.name, name.encode(), done)
        await session.execute(insert(MARKS).values(name=name, number=done, seal=seal))


def _emptying(dialect: str) -> Iterator[Executable]:
    """Yields statements that empty all of the chain's tables.

    PostgreSQL deletes row by row, but not with its own statement; SQLite drops a table's pages.
    """
    if dialect == "postgresql":
        yield text(f"TRUNCATE {', '.join(each.name for each in _OF_THE_CHAIN)}")
    else:
        yield from map(delete, _OF_THE_CHAIN)
