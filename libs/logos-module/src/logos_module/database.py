"""A module's own SQLite database: write-ahead log, every commit on disk.

A database that is damaged, or not of this version, is refused when it is opened, before
anything has changed it.
"""

import asyncio
import shlex
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

from sqlalchemy import MetaData, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from logos_base.errors import DiskFullError, ErrorKind, LogosError, StateError

Sessions = async_sessionmaker[AsyncSession]

CHECKED_BYTES: Final = 16 * 1024 * 1024
"""A database of up to this size is read whole when it is opened; of a larger one the
header, the schema and the first row of each table."""

_HEADER: Final = b"SQLite format 3\0"
_ROOM_BYTES: Final = 64 * 1024
"""With less, SQLite cannot open a database: its index of the log takes 32 KiB at once."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
_FULL: Final = frozenset({sqlite3.SQLITE_FULL})
_FULL_PERHAPS: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_OF_THE_FILE: Final = _DAMAGED | _FULL | _FULL_PERHAPS | {sqlite3.SQLITE_READONLY}
"""Errors whose cause is the file, not the statement."""


class DatabaseDamagedError(StateError):
    """A file that is no database, is damaged, or has tables that are not ours."""

    reason = "DATABASE_DAMAGED"


class DatabaseUnavailableError(LogosError):
    """A database that cannot be opened now, e.g. because of its permissions."""

    kind = ErrorKind.UNAVAILABLE
    reason = "DATABASE_UNAVAILABLE"


@asynccontextmanager
async def open_database(path: Path, metadata: MetaData) -> AsyncIterator[Sessions]:
    """Opens a database, makes the tables that it lacks, and closes it at the end.

    What SQLite finds out about the file while the body runs, and the body does not
    handle, is raised in the same way.

    Raises:
        DatabaseDamagedError: The file is damaged or not ours. It was not changed.
        DatabaseUnavailableError: It cannot be opened.
        DiskFullError: There is no room to open it.
    """
    try:
        await asyncio.to_thread(check_database, path, metadata)
    except DatabaseDamagedError as error:
        raise _with_advice(path, error) from error
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.execute("PRAGMA busy_timeout=5000")
        cursor.close()

    try:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield async_sessionmaker(engine, expire_on_commit=False)
    except Exception as error:
        refusal = _refusal_in(path, error)
        if refusal is None:
            raise
        raise _with_advice(path, refusal) from error
    finally:
        await engine.dispose()


def check_database(path: Path, metadata: MetaData) -> bool:
    """Looks whether a file is a sound database with our tables, and changes nothing.

    Bounded work; blocks.

    Returns:
        Whether all tables are there. They need not be: the file may be missing or empty,
        or a process ended just after it had made the file.

    Raises:
        DatabaseDamagedError: It is no database, it is damaged, or a table has other
            columns. Also if its main file is lost but its write-ahead log is not: SQLite
            would delete that log.
        DatabaseUnavailableError, DiskFullError: It cannot be opened.
    """
    with _readable(path):
        size = _size_of(path)
        if not size:
            if _size_of(_log_of(path)):
                what = "empty" if path.exists() else "missing"
                raise DatabaseDamagedError(f"{path} is {what}, but its write-ahead log is not")
            return False
        with path.open("rb") as file:
            if file.read(len(_HEADER)) != _HEADER:
                raise DatabaseDamagedError(f"{path} is not an SQLite database")
    with (
        _readable(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        present = _check_tables(connection, path, metadata)
        if size <= CHECKED_BYTES:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise DatabaseDamagedError(f"{path} is damaged: {' '.join(verdict.split())}")
    return present == metadata.tables.keys()


def _check_tables(connection: sqlite3.Connection, path: Path, metadata: MetaData) -> set[str]:
    """Returns which of our tables there are."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    present = {name for (name,) in names} & metadata.tables.keys()
    for name in sorted(present):
        info = connection.execute("SELECT name FROM pragma_table_info(?)", (name,))
        found, ours = {column for (column,) in info}, set(metadata.tables[name].columns.keys())
        if found != ours:
            columns = ", ".join(sorted(found ^ ours))
            raise DatabaseDamagedError(
                f"{path} is not of this version: table {name} differs in {columns}"
            )
        connection.execute(f'SELECT * FROM "{name}" LIMIT 1').fetchone()  # noqa: S608  our own name
    return present


def database_files(path: Path) -> list[Path]:
    """Returns what there is of a database: its main file and its write-ahead log."""
    return [file for file in (path, _log_of(path)) if file.exists()]


def set_aside_command(folder: Path, files: Iterable[Path]) -> str:
    """Returns a shell command that moves files of a folder into a new folder beside them."""
    names = " ".join(shlex.quote(file.name) for file in files)
    target = free_name(folder, "lost").name
    return f"cd {shlex.quote(str(folder))} && mkdir {target} && mv {names} {target}/"


def free_name(folder: Path, name: str) -> Path:
    """Returns a path in a folder at which nothing is: the name, or `<name>.2` and so on."""
    path = folder / name
    for number in count(2):
        if not path.exists():
            break
        path = folder / f"{name}.{number}"
    return path


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise _refusal_of(path, error) from error


def _refusal_of(path: Path, error: sqlite3.Error | OSError) -> LogosError:
    code = _code_of(error)
    if code in _DAMAGED:
        return DatabaseDamagedError(f"{path} is damaged: {error}")
    if code in _FULL or (code in _FULL_PERHAPS and _is_full(path.parent)):
        return DiskFullError(f"{path} cannot be written: the disk is full; make room")
    return DatabaseUnavailableError(f"{path} cannot be opened: {error}")


def _refusal_in(path: Path, error: BaseException) -> LogosError | None:
    """Says what an error of SQLite means, also one out of task groups; None for others."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, LogosError):  # a store's own word for it
        error = error.__cause__ or error
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.Error) and _code_of(cause) in _OF_THE_FILE:
        return _refusal_of(path, cause)
    return None


def _with_advice(path: Path, error: LogosError) -> LogosError:
    """Adds to damage what an operator can do about it."""
    if not isinstance(error, DatabaseDamagedError):
        return error
    command = set_aside_command(path.parent, database_files(path))
    return DatabaseDamagedError(
        f"{error}; restore it from a backup, or begin without it: {command}"
    )


def _code_of(error: sqlite3.Error | OSError) -> int:
    """Returns SQLite's primary code, without what the extended one adds; 0 if it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _ROOM_BYTES
    except OSError:
        return False


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
