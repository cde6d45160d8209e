"""Files of SQLite databases: checks, and the command by which operators move one away."""

import shlex
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from logos_base.errors import LogosError
from logos_module.database.errors import DatabaseDamagedError, DatabaseUnavailableError, cause_of
from logos_module.database.schema import Fit, Schema
from logos_module.disk import disk_full, has_room, is_full

CHECKED_BYTES: Final = 16 * 1024 * 1024
"""Databases up to this size are read completely when they are opened; of larger ones only the
header, the schema and the first row of each table."""

_HEADER: Final = b"SQLite format 3\0"
_ROOM_BYTES: Final = 64 * 1024
"""SQLite cannot open a database with less: its index of the log takes 32 KiB at once."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
_FULL_PERHAPS: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_OF_THE_FILE: Final = _DAMAGED | _FULL_PERHAPS | {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
"""Errors whose cause is the file, not the statement."""


def check_database(path: Path, schema: Schema) -> Fit:
    """Checks that a file is an intact database with our tables, without changing it.

    If a process ended while it created the file, that is undone first. Bounded work; blocks.

    Returns:
        Its version relative to the code. NEW also if the file is missing or empty, or a
        process ended just after it had created the file.

    Raises:
        DatabaseDamagedError: The file is not a database, is damaged, or a table has other
            columns. Also if the main file is lost but the write-ahead log is not: SQLite
            would delete that log.
        DatabaseNewerError: A later release has written it.
        DatabaseUnavailableError, DiskFullError: It cannot be opened.
    """
    with _readable(path):
        _undo_creation(path)
        size = _size_of(path)
        if not size:
            if _size_of(_log_of(path)):
                what = "empty" if path.exists() else "missing"
                raise DatabaseDamagedError(f"{path} is {what}, but its write-ahead log is not")
            return Fit.NEW
        with path.open("rb") as file:
            if file.read(len(_HEADER)) != _HEADER:
                raise DatabaseDamagedError(f"{path} is not an SQLite database")
    with _readable(path), _connected(path) as connection:
        fit = schema.fit_of(connection, str(path))
        if size <= CHECKED_BYTES:
            verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            if verdict != "ok":
                raise DatabaseDamagedError(f"{path} is damaged: {' '.join(verdict.split())}")
    return fit


def _undo_creation(path: Path) -> None:
    """Rolls back what was under way when a process ended before the write-ahead log was on.

    Only then is there a rollback journal, and a read-only connection cannot use it.
    """
    if _size_of(path) and _size_of(_journal_of(path)):
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as raw:
            raw.execute("PRAGMA schema_version")


@contextmanager
def _connected(path: Path) -> Iterator[Connection]:
    """Opens a read-only connection."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as raw:
        engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
        with engine.connect() as connection:
            yield connection


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        raise refusal_of(path, error) from error


def refusal_of(path: Path, error: Exception) -> LogosError:
    """Returns the error for a database that cannot be opened."""
    code = code_of(error)
    if code in _DAMAGED:
        return DatabaseDamagedError(f"{path} is damaged: {cause_of(error)}")
    if is_about_room(path, error):
        return disk_full(path)
    return DatabaseUnavailableError(f"{path} cannot be opened: {cause_of(error)}")


def is_about_the_file(error: BaseException) -> bool:
    """Returns whether an error of SQLite has its cause in the file."""
    return code_of(error) in _OF_THE_FILE


def is_about_room(path: Path, error: BaseException) -> bool:
    """Returns whether the disk is full. SQLite has one code for it in writes, others in opens."""
    if isinstance(error, OSError):
        return is_full(error)
    code = code_of(error)
    return code == sqlite3.SQLITE_FULL or (
        code in _FULL_PERHAPS and not has_room(path.parent, _ROOM_BYTES)
    )


def code_of(error: BaseException) -> int:
    """Returns SQLite's primary result code; 0 if the error has none."""
    return int(getattr(cause_of(error), "sqlite_errorcode", 0)) & 0xFF


def database_files(path: Path) -> list[Path]:
    """Returns the files of a database that exist: its main file and its logs."""
    return [file for file in (path, _log_of(path), _journal_of(path)) if file.exists()]


def set_aside_command(folder: Path, files: Iterable[Path]) -> str:
    """Returns a shell command that moves files of a folder into a new subfolder."""
    names = " ".join(shlex.quote(file.name) for file in files)
    target = free_name(folder, "lost").name
    return f"cd {shlex.quote(str(folder))} && mkdir {target} && mv {names} {target}/"


def free_name(folder: Path, name: str) -> Path:
    """Returns an unused path in a folder: the name, or `<name>.2` and so on."""
    path = folder / name
    for number in count(2):
        if not path.exists():
            break
        path = folder / f"{name}.{number}"
    return path


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _journal_of(path: Path) -> Path:
    return path.with_name(path.name + "-journal")


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
