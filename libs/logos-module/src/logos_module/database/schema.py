"""Versions of a database's tables, read without Alembic.

Importing Alembic takes longer than opening a database, so it is imported only for an upgrade.
Here the versions are read from the names of the scripts, and from the row of Alembic's table.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
)
from sqlalchemy.orm import DeclarativeBase

from logos_module.database.errors import DatabaseDamagedError, DatabaseNewerError

_VERSION: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32)),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_FILE: Final = re.compile(r"v([0-9]{4})_\w+\.py")


class Fit(Enum):
    """The version of a database relative to the code."""

    NEW = auto()
    """None of our tables exists."""
    OLDER = auto()
    CURRENT = auto()


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a store, and their versions."""

    metadata: MetaData
    """The tables of the newest version."""
    versions: Path
    """The folder of Alembic's scripts, one for each version: `v0001_<what>.py` and so on, with
    the four digits as revision. Version 0001 creates only tables that are missing: databases
    from before versions were introduced have them."""

    @property
    def numbers(self) -> list[str]:
        """All versions, oldest first."""
        found = (_FILE.fullmatch(entry.name) for entry in self.versions.iterdir())
        return sorted(match[1] for match in found if match)

    def fit_of(self, connection: Connection, place: str) -> Fit:
        """Returns the version of a database relative to the code. Changes nothing.

        Raises:
            DatabaseNewerError: A later release has written it.
            DatabaseDamagedError: Its tables do not match its version.
        """
        names = set(inspect(connection).get_table_names())
        version = _version(connection) if _VERSION.name in names else None
        numbers = self.numbers
        if version is None:
            is_first = numbers[-1] == numbers[0]
            present = names & self.metadata.tables.keys()
            if is_first:
                self.check_tables(connection, place, present)
            return Fit.OLDER if present else Fit.NEW
        if version not in numbers:
            if version.isdecimal() and int(version) > int(numbers[-1]):
                raise DatabaseNewerError(
                    f"{place} has version {version}, of a later release; this release supports"
                    f" versions up to {numbers[-1]}: install the later release again, or"
                    " restore an older backup"
                )
            raise DatabaseDamagedError(f"{place} has version {version!r}, which does not exist")
        if version != numbers[-1]:
            return Fit.OLDER
        self.check_tables(connection, place)
        return Fit.CURRENT

    def check_tables(
        self, connection: Connection, place: str, expected: set[str] | None = None
    ) -> None:
        """Raises `DatabaseDamagedError` unless the tables have the columns that the code knows.

        Args:
            expected: Names of the tables to check; None for all.
        """
        inspector = inspect(connection)
        names = set(inspector.get_table_names())
        for name in sorted(self.metadata.tables.keys() if expected is None else expected):
            table = self.metadata.tables[name]
            if name not in names:
                raise DatabaseDamagedError(f"{place} lacks the table {name}")
            found = {column["name"] for column in inspector.get_columns(name)}
            if differing := found ^ set(table.columns.keys()):
                columns = ", ".join(sorted(differing))
                raise DatabaseDamagedError(
                    f"{place} is not of this version: table {name} differs in {columns}"
                )
            connection.execute(select(table).limit(1)).first()

    def create(self, connection: Connection) -> None:
        """Creates all tables, in the newest version."""
        self.metadata.create_all(connection)
        _VERSION.metadata.create_all(connection)
        connection.execute(insert(_VERSION).values(version_num=self.numbers[-1]))


def table_of(row: type[DeclarativeBase]) -> Table:
    """Returns the table of a class: a statement on it is half the work of one on the class."""
    table = row.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{row.__name__} has no table")
    return table


def _version(connection: Connection) -> str | None:
    return connection.scalar(select(_VERSION.c.version_num))
