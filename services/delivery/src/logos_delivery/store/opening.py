"""Opens the database of delivery: an SQLite file, or a PostgreSQL server by its URL."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from logos_delivery.store.schema import SCHEMA
from logos_delivery.store.sql import SqlArchive
from logos_module.database import Database, open_database
from logos_module.database.files import refusal_of


@dataclass(frozen=True, slots=True)
class Store:
    """What outlives the process."""

    database: Database
    archive: SqlArchive


@asynccontextmanager
async def open_store(place: Path | str, *, is_shared: bool = False) -> AsyncIterator[Store]:
    """Opens the database; transactions that run when it closes are finished.

    Args:
        place: The file of an SQLite database, in a folder that the caller has locked; or the
            URL of a PostgreSQL database, `postgresql+asyncpg://…`.
        is_shared: Whether other nodes that say so too may have it open, of a server (DST-14).

    Raises:
        DatabaseDamagedError, DatabaseNewerError, UpgradeFailedError, DatabaseInUseError,
        DatabaseUnavailableError, DiskFullError: As `open_database`.
    """
    if isinstance(place, Path):
        await asyncio.to_thread(_prepare, place)
    async with open_database(place, SCHEMA, is_shared=is_shared) as database:
        yield Store(database, SqlArchive(database))


def _prepare(path: Path) -> None:
    """Makes a new file one that can give pages back: later this cannot be chosen (DST-23)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path.with_name(path.name + "-wal")
        if log.exists() or (path.exists() and path.stat().st_size):
            return
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("VACUUM")
    except (OSError, sqlite3.Error) as error:
        raise refusal_of(path, error) from error
