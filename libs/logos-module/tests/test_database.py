"""A module's own file of SQLite: durable, strict about its keys, and refused when it is damaged."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from families import SCHEMA, Families
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from full_disk import filled, small_disk
from logos_base.errors import DiskFullError, StoreFailedError
from logos_module.database import (
    DatabaseDamagedError,
    DatabaseUnavailableError,
    Fit,
    check_database,
    files,
    open_database,
)


async def test_commits_reach_the_disk_and_keys_are_kept(tmp_path: Path) -> None:
    async with open_database(tmp_path / "a.sqlite", SCHEMA) as database:
        values = [
            await database.read(lambda session, name=name: session.scalar(text(f"PRAGMA {name}")))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
        assert values == ["wal", 2, 1, 5000]
        with pytest.raises(IntegrityError):
            await Families(database).add_child(1, parent=99)


def made(path: Path, *, rows: int = 2000) -> Path:
    """A database as a module leaves it: all in its main file."""

    async def make() -> None:
        async with open_database(path, SCHEMA) as database:
            await Families(database).add(*range(rows))

    asyncio.run(make())
    return path


def enter(path: Path) -> None:
    async def opened() -> None:
        async with open_database(path, SCHEMA):
            pass

    asyncio.run(opened())


def contents(folder: Path) -> dict[str, bytes]:
    """All files but the shared memory of a connection, which says nothing."""
    files = (path for path in folder.iterdir() if path.is_file())
    return {
        path.name: raw
        for path in files
        if not path.name.endswith("-shm") and (raw := path.read_bytes())
    }


def overwrite(path: Path, offset: int, raw: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(raw)


def orphan_log(path: Path) -> None:
    """Leaves a write-ahead log of which the main file is gone."""
    writer = sqlite3.connect(path)
    writer.execute("INSERT INTO parent (id) VALUES (100000)")
    writer.commit()
    log = path.with_name(f"{path.name}-wal")
    shutil.copy(log, path.with_name("kept"))
    writer.close()
    path.with_name("kept").rename(log)


def orphan_log_of_an_empty_file(path: Path) -> None:
    orphan_log(path)
    os.truncate(path, 0)


def orphan_log_of_no_file(path: Path) -> None:
    orphan_log(path)
    path.unlink()


def executed(statement: str) -> Callable[[Path], None]:
    def execute_on(path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.execute(statement)
        connection.commit()
        connection.close()

    return execute_on


def begun(path: Path) -> None:
    """Leaves a file as a process does that ends in the transaction that makes it."""
    with closing(sqlite3.connect(path.with_name("whole"), isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the commit
        writer.execute("BEGIN")
        writer.execute("CREATE TABLE other (value BLOB)")
        writer.execute("INSERT INTO other VALUES (zeroblob(100000))")
        for ending in ("", "-journal"):
            shutil.copy(path.with_name(f"whole{ending}"), f"{path}{ending}")
    path.with_name("whole").unlink()


def test_a_file_whose_creation_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    begun(path)
    assert path.stat().st_size
    assert path.with_name("a.sqlite-journal").stat().st_size

    assert check_database(path, SCHEMA) is Fit.NEW
    enter(path)

    assert check_database(path, SCHEMA) is Fit.CURRENT
    assert not path.with_name("a.sqlite-journal").exists()


def test_a_journal_is_set_aside_with_its_database(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    begun(path)
    assert [each.name for each in files.database_files(path)] == ["a.sqlite", "a.sqlite-journal"]


DAMAGES = [
    lambda path: path.write_bytes(b"hello"),
    lambda path: path.write_bytes(bytes(8192)),
    lambda path: os.truncate(path, path.stat().st_size // 2),
    lambda path: overwrite(path, 4096, b"x" * 4096),
    lambda path: overwrite(path, path.stat().st_size - 4096, b"x" * 4096),
    lambda path: overwrite(path, 100, b"x" * 3996),
    orphan_log_of_an_empty_file,
    orphan_log_of_no_file,
    executed("ALTER TABLE parent ADD COLUMN name TEXT"),
    executed("DROP TABLE child"),
    executed("UPDATE alembic_version SET version_num = 'one'"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_with_a_way_out_and_nothing_is_changed(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = made(tmp_path / "a b.sqlite")
    damage(path)
    before = contents(tmp_path)

    for _ in range(2):
        with pytest.raises(DatabaseDamagedError) as caught:
            enter(path)
        assert contents(tmp_path) == before

    assert caught.value.reason == "DATABASE_DAMAGED"
    advice = str(caught.value)
    assert str(path) in advice
    assert "\n" not in advice
    command = advice.partition("start without it: ")[2]
    subprocess.run(["sh", "-c", command], check=True)  # the advice works as it is printed
    enter(path)
    assert contents(tmp_path / "lost") == before


def test_what_was_moved_away_before_stays(tmp_path: Path) -> None:
    (tmp_path / "lost").mkdir()
    (tmp_path / "a.sqlite").write_bytes(b"hello")

    with pytest.raises(DatabaseDamagedError, match=r"mkdir lost\.2 && mv a\.sqlite lost\.2/"):
        enter(tmp_path / "a.sqlite")


def test_a_large_database_is_looked_at_but_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "a.sqlite")
    last_page = path.stat().st_size - 4096
    overwrite(path, last_page, b"x" * 4096)
    monkeypatch.setattr(files, "CHECKED_BYTES", 4096)

    enter(path)
    overwrite(path, 0, b"x")
    with pytest.raises(DatabaseDamagedError):
        enter(path)


async def test_damage_that_is_met_later_is_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.sqlite"
    await asyncio.to_thread(made, path)
    overwrite(path, path.stat().st_size - 4096, b"x" * 4096)
    monkeypatch.setattr(files, "CHECKED_BYTES", 4096)

    with pytest.raises(DatabaseDamagedError, match="start without it"):
        await execute(path, "SELECT sum(id) FROM parent")


async def execute(path: Path, statement: str) -> None:
    """Executes a statement in a task of a module whose database is open."""

    async with open_database(path, SCHEMA) as database, asyncio.TaskGroup() as tasks:
        tasks.create_task(database.read(lambda session: session.execute(text(statement))))
        await asyncio.Event().wait()


async def test_a_false_statement_is_not_called_damage(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await execute(tmp_path / "a.sqlite", "SELECT * FROM other")

    assert caught.group_contains(StoreFailedError, match="no such table")


async def test_a_full_disk_takes_nothing_and_passes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "a.sqlite"
        async with open_database(path, SCHEMA) as database:
            store = Families(database)
            await store.add(1)
            with filled(disk):
                for _ in range(2):
                    with pytest.raises(DiskFullError, match=r"a\.sqlite cannot be written"):
                        await store.add(*range(2, 10_000))
                assert await store.parents() == [1]
            await store.add(2)
        with filled(disk), pytest.raises(DiskFullError):
            async with open_database(path, SCHEMA):
                pass


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").mkdir()

    with pytest.raises(DatabaseUnavailableError, match=r"a\.sqlite cannot be opened"):
        enter(tmp_path / "a.sqlite")


def test_an_unfinished_beginning_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    assert check_database(path, SCHEMA) is Fit.NEW
    assert not path.exists()
    path.touch()
    assert check_database(path, SCHEMA) is Fit.NEW
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    assert check_database(path, SCHEMA) is Fit.NEW

    enter(path)

    assert check_database(path, SCHEMA) is Fit.CURRENT


def test_a_log_that_a_killed_process_left_is_read(tmp_path: Path) -> None:
    path = made(tmp_path / "a.sqlite")
    writer = sqlite3.connect(path)
    writer.execute("INSERT INTO parent (id) VALUES (100000)")
    writer.commit()
    (tmp_path / "killed").mkdir()
    for file in tmp_path.glob("a.sqlite*"):
        shutil.copy(file, tmp_path / "killed")
    writer.close()
    killed = tmp_path / "killed" / "a.sqlite"

    assert check_database(killed, SCHEMA) is Fit.CURRENT
    enter(killed)

    reader = sqlite3.connect(killed)
    assert reader.execute("SELECT max(id) FROM parent").fetchone() == (100000,)
    reader.close()
