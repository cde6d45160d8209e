"""What every store's schema does: its scripts make the tables that its models describe.

Subclass it with a `schema` fixture.
"""

import sqlite3
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from logos_module.database import Schema, open_database
from logos_module.database.upgrade import upgrade


def differences(connection: Connection, schema: Schema) -> list[Any]:
    upgrade(connection, schema)
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    found: list[Any] = compare_metadata(context, schema.metadata)
    return found


def declarations(path: Path) -> set[str]:
    """Every line of every declaration; in which order is of no account."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {line.strip().rstrip(",") for (sql,) in rows for line in sql.splitlines()}


class SchemaContract:
    """One suite for all stores."""

    def test_scripts_are_numbered_without_gaps(self, schema: Schema) -> None:
        assert schema.numbers == [f"{number:04}" for number in range(1, len(schema.numbers) + 1)]

    async def test_scripts_and_models_agree_on_sqlite(self, schema: Schema, tmp_path: Path) -> None:
        engine = create_engine(f"sqlite:///{tmp_path / 'scripts'}", poolclass=NullPool)
        with engine.begin() as connection:
            assert differences(connection, schema) == []
        async with open_database(tmp_path / "models", schema):
            pass

        assert declarations(tmp_path / "scripts") == declarations(tmp_path / "models")

    async def test_scripts_and_models_agree_on_postgresql(
        self, schema: Schema, postgresql_url: str
    ) -> None:
        engine = create_async_engine(postgresql_url, poolclass=NullPool)
        async with engine.begin() as connection:
            assert await connection.run_sync(differences, schema) == []
