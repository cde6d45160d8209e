"""Opens the database of the chain: an SQLite file, or a PostgreSQL server by its URL."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from logos_chain.store.advice import Advice
from logos_chain.store.aged_paths import SqlAgedPaths
from logos_chain.store.channel_index import SqlChannelIndex
from logos_chain.store.node_marks import SqlNodeMarks
from logos_chain.store.proposal_notes import SqlProposalNotes
from logos_chain.store.registries import SqlRegistries
from logos_chain.store.saved_transactions import SqlSavedTransactions
from logos_chain.store.schema import SCHEMA
from logos_chain.store.sequencers import SqlSequencers
from logos_chain.store.sql import SqlChainStore
from logos_chain.store.starting_over import SqlStartingOver
from logos_chain.store.wallets import SqlWallets
from logos_module.database import open_database
from logos_module.shielded import Shielded

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenStore:
    """The stores of one database: the chain, and what a node keeps beside it (CHS-15)."""

    chain: SqlChainStore
    proposals: SqlProposalNotes
    paths: SqlAgedPaths
    marks: SqlNodeMarks
    transactions: SqlSavedTransactions
    wallets: SqlWallets
    registries: SqlRegistries
    channels: SqlChannelIndex
    sequencers: SqlSequencers


@asynccontextmanager
async def open_store(
    place: Path | str, *, keep_slots: int, status: Callable[[str], None] = lambda _text: None
) -> AsyncIterator[OpenStore]:
    """Opens the database; transactions that run when it closes are finished (CHS-2).

    A chain that is to be given up is gone then (CHS-21).

    Args:
        place: The file of an SQLite database, in a folder that the caller has locked; or the
            URL of a PostgreSQL database, `postgresql+asyncpg://…`.
        keep_slots: For how many slots before the newest final block a tree wants its ancestors:
            `Parameters.uncle_window_slots`.
        status: Is told of the giving up, again and again while it goes (KER-4).

    Raises:
        DatabaseDamagedError, DatabaseNewerError, UpgradeFailedError, DatabaseInUseError,
        DatabaseUnavailableError, DiskFullError: As `open_database`.
        ChainStoreDamagedError: Its rows are not those that were written.
    """
    async with open_database(place, SCHEMA) as database, Shielded() as shielded:
        advice = Advice(database.place, place)
        if await SqlStartingOver(database, advice, status).run():
            log.warning("the chain was given up as ordered: it will be downloaded again")
        chain = SqlChainStore(database, advice, shielded, keep_slots=keep_slots)
        await chain.mark()
        yield OpenStore(
            chain,
            SqlProposalNotes(database, advice),
            SqlAgedPaths(database, advice),
            SqlNodeMarks(database, advice),
            SqlSavedTransactions(database, advice),
            SqlWallets(database, advice),
            SqlRegistries(database, advice),
            SqlChannelIndex(database, advice),
            SqlSequencers(database, advice),
        )
