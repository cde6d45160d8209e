"""Opens the database of the chain: an SQLite file, or a PostgreSQL server by its URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from logos_chain.store.schema import SCHEMA
from logos_chain.store.sql import SqlChainStore
from logos_module.database import open_database
from logos_module.shielded import Shielded


@asynccontextmanager
async def open_store(place: Path | str, *, keep_slots: int) -> AsyncIterator[SqlChainStore]:
    """Opens the database; transactions that run when it closes are finished (CHS-2).

    Args:
        place: The file of an SQLite database, in a folder that the caller has locked; or the
            URL of a PostgreSQL database, `postgresql+asyncpg://…`.
        keep_slots: For how many slots before the newest final block a tree wants its ancestors:
            `Parameters.uncle_window_slots`.

    Raises:
        DatabaseDamagedError, DatabaseNewerError, UpgradeFailedError, DatabaseInUseError,
        DatabaseUnavailableError, DiskFullError: As `open_database`.
        ChainStoreDamagedError: Its rows are not those that were written.
    """
    async with open_database(place, SCHEMA) as database, Shielded() as shielded:
        store = SqlChainStore(database, place, shielded, keep_slots=keep_slots)
        await store.mark()
        yield store
