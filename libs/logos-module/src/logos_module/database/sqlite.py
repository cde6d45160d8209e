"""An SQLite database in the module's folder, for one process at a time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from logos_base.errors import LogosError, StoreFailedError
from logos_module.database.connections import BEGIN, ThreadConnections
from logos_module.database.errors import DatabaseDamagedError, cause_of
from logos_module.database.files import (
    check_database,
    database_files,
    is_about_room,
    is_about_the_file,
    refusal_of,
    set_aside_command,
)
from logos_module.database.schema import Fit, Schema
from logos_module.disk import disk_full


class SqliteFile:
    """Write-ahead log, every commit on disk, foreign keys enforced.

    The module's folder lock excludes other processes; this class does not.
    """

    failures: tuple[type[Exception], ...] = (SQLAlchemyError,)

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path

    @asynccontextmanager
    async def owned(self) -> AsyncIterator[None]:
        """Does nothing: the folder lock covers the file."""
        yield

    shared = owned

    async def check(self, schema: Schema) -> Fit:
        """Checks the file by `check_database`, before any change."""
        return await asyncio.to_thread(check_database, self._path, schema)

    def connections(self) -> ThreadConnections:
        """Returns what the module's transactions run on."""
        return self._connections(foreign_keys="ON")

    def upgrade_connections(self) -> ThreadConnections:
        """Returns connections without foreign keys, so that tables can be rebuilt."""
        return self._connections(foreign_keys="OFF")

    def _connections(self, *, foreign_keys: str) -> ThreadConnections:
        return ThreadConnections(partial(self._engine, foreign_keys))

    def _engine(self, foreign_keys: str, size: int) -> Engine:
        # Without an isolation level the driver leaves transactions to `_begin`; with one, it
        # would commit before each CREATE.
        factory = partial(_connect, foreign_keys=foreign_keys)
        engine = create_engine(
            URL.create("sqlite", database=self.place),
            connect_args={
                "isolation_level": None,
                "factory": factory,
                "check_same_thread": False,  # a pool's connections go from thread to thread
            },
            pool_size=size,
            max_overflow=0,
        )
        event.listen(engine, "begin", _begin)
        return engine

    def check_references(self, connection: Connection) -> None:
        """Raises ValueError if a foreign key refers to a row that does not exist."""
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise ValueError(f"a row of {broken[0]} refers to one of {broken[2]} that is missing")

    def with_advice(self, error: DatabaseDamagedError) -> DatabaseDamagedError:
        """Adds to an error the way out for an operator."""
        command = set_aside_command(self._path.parent, database_files(self._path))
        return DatabaseDamagedError(
            f"{error}; restore it from a backup, or start without it: {command}"
        )

    def refusal(self, error: Exception, /) -> LogosError | None:
        """Returns the error to raise if the file caused `error`; None if it did not."""
        while isinstance(error, LogosError) and isinstance(error.__cause__, Exception):
            error = error.__cause__
        if not is_about_the_file(error):
            return None
        refusal = refusal_of(self._path, error)
        if isinstance(refusal, DatabaseDamagedError):
            return self.with_advice(refusal)
        return refusal

    def failure(self, error: Exception) -> LogosError:
        """Returns the error for a transaction that failed."""
        if is_about_room(self._path, error):
            return disk_full(self._path)
        return StoreFailedError(f"{self._path}: {cause_of(error)}")


def _connect(*args: Any, foreign_keys: str, **options: Any) -> sqlite3.Connection:
    """Opens a file in the thread of its connection; closes it on failure."""
    connection = sqlite3.Connection(*args, **options)
    try:
        connection.execute("PRAGMA busy_timeout=5000")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"foreign_keys={foreign_keys}"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(BEGIN, "BEGIN"))
