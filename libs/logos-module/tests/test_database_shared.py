"""Several processes may have a database of a server open at once, if all of them say so."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from families import SCHEMA, Families
from sqlalchemy import Column, Integer, MetaData, Table, text

from logos_module.database import (
    DatabaseInUseError,
    DatabaseNewerError,
    Schema,
    open_database,
    postgresql,
)
from logos_module.database.schema import Fit

PETS = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.create_table("pet", sa.Column("id", sa.Integer, primary_key=True))
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "OWNER_WAIT_MS", 50)


async def test_what_one_commits_the_other_sees(postgresql_url: str) -> None:
    async with (
        open_database(postgresql_url, SCHEMA, is_shared=True) as one,
        open_database(postgresql_url, SCHEMA, is_shared=True) as other,
    ):
        await Families(one).add(1)
        await Families(other).add(2)
        assert await Families(one).parents() == [1, 2]
    async with open_database(postgresql_url, SCHEMA) as alone:
        assert await Families(alone).parents() == [1, 2]


async def test_an_owner_and_those_that_share_exclude_each_other(postgresql_url: str) -> None:
    async with open_database(postgresql_url, SCHEMA, is_shared=True):
        with pytest.raises(DatabaseInUseError):
            async with open_database(postgresql_url, SCHEMA):
                pass
    async with open_database(postgresql_url, SCHEMA):
        with pytest.raises(DatabaseInUseError):
            async with open_database(postgresql_url, SCHEMA, is_shared=True):
                pass


async def test_a_new_database_is_made_once_by_many_that_come_at_once(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "OWNER_WAIT_MS", 30_000)
    all_have_it, come = asyncio.Event(), 0

    async def join(number: int) -> None:
        nonlocal come
        async with open_database(postgresql_url, SCHEMA, is_shared=True) as database:
            await Families(database).add(number)
            come += 1
            if come == 4:
                all_have_it.set()
            await all_have_it.wait()

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(join(number))
    async with open_database(postgresql_url, SCHEMA, is_shared=True) as database:
        assert await Families(database).parents() == [0, 1, 2, 3]


async def test_an_upgrade_waits_until_the_others_have_stopped(
    postgresql_url: str, tmp_path: Path
) -> None:
    newer = newer_schema(tmp_path)
    async with open_database(postgresql_url, SCHEMA, is_shared=True) as database:
        await Families(database).add(1)
        with pytest.raises(DatabaseInUseError, match="must be upgraded"):
            async with open_database(postgresql_url, newer, is_shared=True):
                pass
        assert await Families(database).parents() == [1]
    async with (
        open_database(postgresql_url, newer, is_shared=True) as one,
        open_database(postgresql_url, newer, is_shared=True) as other,
    ):
        for database in (one, other):
            await database.read(lambda session: session.execute(text("SELECT id FROM pet")))
            assert await Families(database).parents() == [1]
    with pytest.raises(DatabaseNewerError):
        async with open_database(postgresql_url, SCHEMA, is_shared=True):
            pass


async def test_one_that_is_made_with_the_last_try_is_joined(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another owns it when this one first tries to, and goes without making it."""
    check, seen = postgresql.PostgresqlServer.check, 0
    async with AsyncExitStack() as other:
        server = postgresql.PostgresqlServer(postgresql_url)

        async def watched(self: postgresql.PostgresqlServer, schema: Schema) -> Fit:
            nonlocal seen
            seen += 1
            if seen == 1:
                await other.enter_async_context(server.shared())
            else:
                await other.aclose()
            return await check(self, schema)

        monkeypatch.setattr(postgresql.PostgresqlServer, "check", watched)
        async with open_database(postgresql_url, SCHEMA, is_shared=True) as database:
            await Families(database).add(1)
            assert await Families(database).parents() == [1]


async def test_a_file_is_opened_as_ever(tmp_path: Path) -> None:
    async with open_database(tmp_path / "a.sqlite", SCHEMA, is_shared=True) as database:
        await Families(database).add(1)
        assert await Families(database).parents() == [1]


def newer_schema(folder: Path) -> Schema:
    """The tables of families, and one more in a second version."""
    versions = folder / "versions"
    versions.mkdir()
    for script in SCHEMA.versions.glob("v*.py"):
        (versions / script.name).write_text(script.read_text())
    (versions / "v0002_pets.py").write_text(PETS)
    metadata = MetaData()
    for table in SCHEMA.metadata.sorted_tables:
        table.to_metadata(metadata)
    Table("pet", metadata, Column("id", Integer, primary_key=True))
    return Schema(metadata, versions)
