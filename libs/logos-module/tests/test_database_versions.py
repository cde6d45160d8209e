"""Databases are made, recognised, upgraded or refused by their version."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from families import SCHEMA, VERSIONS, Families
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, text

from logos_base.errors import LogosError
from logos_module.database import (
    Database,
    DatabaseDamagedError,
    DatabaseNewerError,
    Schema,
    UpgradeFailedError,
    open_database,
)

Place = Path | str

HEAD = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
"""
ADD_NAMES = """
    op.add_column("parent", sa.Column("name", sa.String(20), nullable=False, server_default="?"))
    op.create_table("pet", sa.Column("id", sa.Integer, primary_key=True))
"""
FAIL_LATE = """
    op.create_table("pet", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO pet (id) VALUES (1)")
    op.execute("UPDATE child SET parent_id = 1")
    raise ValueError("the script is wrong")
"""
LOSE_PARENTS = f"{ADD_NAMES}    op.execute('DELETE FROM parent')"  # noqa: S608  a script
FORGET_A_COLUMN = """
    op.create_table("pet", sa.Column("id", sa.Integer, primary_key=True))
"""


def second(folder: Path, script: str) -> Schema:
    """A second version of the tables, made on the spot: parents have names, and there are pets."""
    versions = folder / "second 100%" / "versions"
    shutil.rmtree(versions, ignore_errors=True)
    shutil.copytree(VERSIONS, versions)
    (versions / "v0002_names.py").write_text(HEAD + script)
    metadata = MetaData()
    Table(
        "parent",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(20), nullable=False, server_default="?"),
    )
    Table(
        "child",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("parent_id", Integer, ForeignKey("parent.id"), nullable=False),
    )
    Table("pet", metadata, Column("id", Integer, primary_key=True))
    return Schema(metadata, versions)


async def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    result = await database.read(lambda session: session.execute(text(query)))
    return [tuple(row) for row in result]


async def execute(place: Place, *statements: str) -> None:
    async with open_database(place, SCHEMA) as database:
        for statement in statements:
            await database.write(lambda session, s=statement: session.execute(text(s)))


async def fill(place: Place) -> None:
    async with open_database(place, SCHEMA) as database:
        store = Families(database)
        await store.add(1, 2)
        await store.add_child(5, parent=2)


async def check_is_first(place: Place) -> None:
    async with open_database(place, SCHEMA) as database:
        assert await rows(database, "SELECT version_num FROM alembic_version") == [("0001",)]
        assert await rows(database, "SELECT id, parent_id FROM child") == [(5, 2)]
        assert await rows(database, "SELECT id FROM parent ORDER BY id") == [(1,), (2,)]


async def check_is_second(place: Place, schema: Schema) -> None:
    async with open_database(place, schema) as database:
        assert await rows(database, "SELECT version_num FROM alembic_version") == [("0002",)]
        assert await rows(database, "SELECT id, parent_id FROM child") == [(5, 2)]
        names = await rows(database, "SELECT id, name FROM parent ORDER BY id")
        assert names == [(1, "?"), (2, "?")]
        assert await rows(database, "SELECT id FROM pet") == []


async def test_a_new_database_is_of_the_newest_version(place: Place, tmp_path: Path) -> None:
    schema = second(tmp_path, ADD_NAMES)
    async with open_database(place, schema) as database:
        assert await rows(database, "SELECT version_num FROM alembic_version") == [("0002",)]

    async with open_database(place, schema) as database:
        assert await rows(database, "SELECT id FROM pet") == []


async def test_one_from_before_there_were_versions_is_the_first(place: Place) -> None:
    await fill(place)
    await execute(place, "DROP TABLE alembic_version")

    await check_is_first(place)


async def test_one_that_was_not_finished_before_there_were_versions_is_finished(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    connection.close()

    async with open_database(path, SCHEMA) as database:
        await Families(database).add(1)
        await Families(database).add_child(1, parent=1)


@pytest.mark.parametrize("is_versioned", [True, False])
async def test_an_older_one_is_upgraded_with_what_is_in_it(
    place: Place, tmp_path: Path, *, is_versioned: bool
) -> None:
    await fill(place)
    if not is_versioned:
        await execute(place, "DROP TABLE alembic_version")

    for _ in range(2):
        await check_is_second(place, second(tmp_path, ADD_NAMES))


@pytest.mark.parametrize(
    ("script", "error", "text"),
    [
        (FAIL_LATE, UpgradeFailedError, "cannot be upgraded to version 0002.*script is wrong"),
        ("    op.drop_table('nothing')\n", UpgradeFailedError, "nothing"),
        (FORGET_A_COLUMN, DatabaseDamagedError, "table parent differs in name"),
    ],
)
async def test_an_upgrade_that_fails_leaves_the_old_state(
    place: Place, tmp_path: Path, script: str, error: type[LogosError], text: str
) -> None:
    await fill(place)

    for _ in range(2):
        with pytest.raises(error, match=text):
            async with open_database(place, second(tmp_path, script)):
                pass

    await check_is_first(place)


async def test_an_upgrade_whose_caller_is_cancelled_is_done_or_undone(
    place: Place, tmp_path: Path
) -> None:
    await fill(place)
    schema = second(tmp_path, ADD_NAMES)

    async def enter() -> None:
        async with open_database(place, schema):
            pass

    for rounds in range(0, 60, 5):
        async with asyncio.TaskGroup() as tasks:
            entering = tasks.create_task(enter())
            for _ in range(rounds):
                await asyncio.sleep(0)
            entering.cancel()

    await check_is_second(place, schema)


async def test_one_of_a_later_release_is_refused_and_not_touched(
    place: Place, tmp_path: Path
) -> None:
    await fill(place)
    schema = second(tmp_path, ADD_NAMES)
    async with open_database(place, schema):
        pass
    before = contents(tmp_path)

    for _ in range(2):
        with pytest.raises(DatabaseNewerError, match=r"version 0002.*up to 0001") as caught:
            async with open_database(place, SCHEMA):
                pass

    assert caught.value.reason == "DATABASE_NEWER"
    assert contents(tmp_path) == before
    await check_is_second(place, schema)


def contents(folder: Path) -> dict[str, bytes]:
    """All files but the shared memory of a connection, which says nothing."""
    files = {path.name: path.read_bytes() for path in folder.glob("a.sqlite*")}
    return {name: raw for name, raw in files.items() if raw and not name.endswith("-shm")}


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE alembic_version SET version_num = 'one'", "'one', which does not exist"),
        ("UPDATE alembic_version SET version_num = '0000'", "'0000', which does not exist"),
        ("DROP TABLE child", "lacks the table child"),
        ("ALTER TABLE parent ADD COLUMN name INTEGER", "table parent differs in name"),
    ],
)
async def test_one_that_is_not_what_its_version_says_is_refused(
    place: Place, statement: str, text: str
) -> None:
    await execute(place, statement)

    with pytest.raises(DatabaseDamagedError, match=text):
        async with open_database(place, SCHEMA):
            pass


REBUILD = """
    with op.batch_alter_table("parent") as batch:
        batch.alter_column("id", existing_type=sa.Integer, nullable=False)
        batch.add_column(sa.Column("name", sa.String(20), nullable=False, server_default="?"))
    op.create_table("pet", sa.Column("id", sa.Integer, primary_key=True))
"""


async def test_a_table_to_which_others_refer_can_be_rebuilt(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    await fill(path)

    await check_is_second(path, second(tmp_path, REBUILD))


async def test_an_upgrade_may_not_leave_a_row_without_what_it_refers_to(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    await fill(path)
    with pytest.raises(UpgradeFailedError, match="a row of child refers to one of parent"):
        async with open_database(path, second(tmp_path, LOSE_PARENTS)):
            pass

    await check_is_first(path)


def test_alembic_is_imported_for_an_upgrade_only(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent / "support")!r})
from families import SCHEMA
from logos_module.database import open_database

async def enter():
    async with open_database(Path({str(tmp_path / "a.sqlite")!r}), SCHEMA):
        pass

asyncio.run(enter())
asyncio.run(enter())
print(any(name in sys.modules for name in ("alembic", "asyncpg", "mako")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert done.stdout == b"False\n"
