"""Gives a chain up, for a start from its genesis: all that follows from its blocks, at once.

What does not follow from them stays: for which slots the node has signed, numbers of vouchers and
keys, watched keys, what the wallets have submitted and is not final, what waits in the mempool, and
the sequencers.

Spec: docs/protocol/chain-store.md, CHS-21; chain-consensus.md, CON-51, CON-52.
"""

from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.node_ports import ASKED, GIVEN_UP, START_OVER_MARK
from logos_chain.store import schema
from logos_chain.store.advice import Advice
from logos_chain.store.node_marks import MARKS
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.seals import check_seal, seal_of
from logos_chain.store.wallets import drop_fulfilled, keep_numbers
from logos_module.database import Database, table_of, writing

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


class SqlStartingOver:
    """What an operator's order to start over does to the database, when it is opened."""

    def __init__(self, database: Database, advice: Advice) -> None:
        """Takes an open database with the tables of `SCHEMA`."""
        self.database = database
        self._advice = advice

    async def run(self) -> bool:
        """Gives the chain up if that was ordered, in one transaction; returns whether it was.

        Raises:
            ChainStoreDamagedError: The order is not what was written.
            DiskFullError, StoreFailedError: Nothing was done.
        """
        with self._advice.given():
            return await self._run()

    @writing
    async def _run(self, session: AsyncSession) -> bool:
        name = START_OVER_MARK
        wanted = select(MARKS).where(MARKS.c.name == name)
        row = (await session.execute(wanted)).one_or_none()
        if row is None:
            return False
        number = whole(row.number)
        check_seal(row.seal, MARKS.name, name.encode(), number)
        if read_u64(number) != ASKED:
            return False
        await keep_numbers(session)
        await drop_fulfilled(session)
        for each in _OF_THE_CHAIN:
            await session.execute(delete(each))
        await session.execute(delete(MARKS).where(MARKS.c.name == name))
        done = u64(GIVEN_UP)
        seal = seal_of(MARKS.name, name.encode(), done)
        await session.execute(insert(MARKS).values(name=name, number=done, seal=seal))
        return True
