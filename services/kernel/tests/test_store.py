"""KER-8: what outlives a kernel."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from memory_store import MemoryModuleStore
from module_store_contract import FULL, ModuleStoreContract, transition
from sqlalchemy import text

from full_disk import filled
from logos_base.errors import DiskFullError, StoreFailedError
from logos_kernel.core.errors import StateLockedError
from logos_kernel.core.journal import Entries
from logos_kernel.core.types import Record
from logos_kernel.store.lock import locked
from logos_kernel.store.schema import SCHEMA, open_store
from logos_kernel.store.sql import SqlModuleStore
from logos_module.database import DatabaseDamagedError, Schema
from schema_contract import SchemaContract


class TestMemory(ModuleStoreContract):
    @pytest.fixture
    def store(self) -> MemoryModuleStore:
        return MemoryModuleStore()


class TestSchema(SchemaContract):
    @pytest.fixture
    def schema(self) -> Schema:
        return SCHEMA


class TestPostgresql(ModuleStoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path, postgresql_url: str) -> AsyncIterator[SqlModuleStore]:
        async with open_store(tmp_path, postgresql_url) as store:
            yield store
        assert not (tmp_path / "kernel.sqlite").exists()

    async def test_a_server_that_restarts_leaves_no_two_kernels_that_write(
        self, tmp_path: Path, postgresql_url: str
    ) -> None:
        end_all = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        async with open_store(tmp_path, postgresql_url) as old:
            await old.begin()
            await old.database.read(lambda session: session.execute(end_all))
            await old.save(FULL)
            async with open_store(tmp_path, postgresql_url) as new:
                await new.begin()
                with pytest.raises(StateLockedError):
                    await old.forget(FULL.name)
                assert await new.load() == [FULL]


SINCE_THE_FIRST = SCHEMA.metadata.tables.keys() - {"module", "kernel"}
"""Tables that the first version of the schema did not have."""


class TestSql(ModuleStoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqlModuleStore]:
        async with open_store(tmp_path) as store:
            yield store

    async def test_survives_being_closed(self, tmp_path: Path) -> None:
        for expected in (1, 2):
            async with open_store(tmp_path) as store:
                assert await store.begin() == expected
                assert await store.load() == ([FULL] if expected == 2 else [])
                await store.save(FULL)

    async def test_a_database_of_the_first_version_keeps_its_modules(self, tmp_path: Path) -> None:
        async with open_store(tmp_path) as store:
            await store.save(FULL)
        with sqlite3.connect(tmp_path / "kernel.sqlite") as database:
            for table in SINCE_THE_FIRST:
                database.execute(f"DROP TABLE {table}")
            database.execute("UPDATE alembic_version SET version_num = '0001'")
        database.close()

        async with open_store(tmp_path) as store:
            known = replace(
                FULL, newest=0, installed="", beside=None, upgrade=None, is_leaving=False
            )
            assert await store.load() == [known]
            await store.keep(Entries((transition(1),)))
            assert (await store.load_entries()).transitions == (transition(1),)

    async def test_what_is_not_a_database_is_refused_by_name(self, tmp_path: Path) -> None:
        (tmp_path / "kernel.sqlite").write_bytes(b"no database" * 1000)

        with pytest.raises(DatabaseDamagedError, match=r"kernel\.sqlite"):
            async with open_store(tmp_path):
                pass

    async def test_words_that_it_does_not_know_are_refused(self, tmp_path: Path) -> None:
        async with open_store(tmp_path) as store:
            await store.save(FULL)
        with sqlite3.connect(tmp_path / "kernel.sqlite") as database:
            database.execute("UPDATE module SET desired = 'FLYING'")
        database.close()

        async with open_store(tmp_path) as store:
            with pytest.raises(StoreFailedError, match="FLYING"):
                await store.load()

    async def test_reasons_that_it_does_not_know_are_refused(self, tmp_path: Path) -> None:
        async with open_store(tmp_path) as store:
            await store.keep(Entries((transition(1),)))
        with sqlite3.connect(tmp_path / "kernel.sqlite") as database:
            database.execute("UPDATE transition SET reason = 'WHIM'")
        database.close()

        async with open_store(tmp_path) as store:
            with pytest.raises(StoreFailedError, match="WHIM"):
                await store.load_entries()

    async def test_a_full_disk_changes_nothing_until_there_is_room(self, disk: Path) -> None:
        async with open_store(disk) as store:
            await store.save(FULL)
            with filled(disk):
                for _ in range(2):
                    with pytest.raises(DiskFullError):
                        await store.save(Record("mixnet"), Record("storage", epoch=3))
            assert await store.load() == [FULL]
            await store.save(Record("storage", epoch=3))
        with filled(disk), pytest.raises(DiskFullError):
            async with open_store(disk):
                pass
        async with open_store(disk) as store:
            assert await store.load() == [Record("storage", epoch=3)]


async def test_a_kernel_changes_nothing_after_another_has_begun(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        other = SqlModuleStore(store.database)
        await store.begin()
        await store.save(FULL)
        await other.begin()

        with pytest.raises(StateLockedError, match="epoch 2: this one, epoch 1,"):
            await store.save(Record("storage", epoch=3))
        with pytest.raises(StateLockedError):
            await store.forget("storage")
        with pytest.raises(StateLockedError):
            await store.keep(Entries((transition(1),)))
        assert await store.load() == [FULL]
        await other.forget("storage")
        assert await store.load() == []


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreFailedError, match="file/state"), locked(tmp_path / "file" / "state"):
        pass


def test_a_locked_state_names_its_holder(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "state"),
        pytest.raises(StateLockedError, match=f"pid {os.getpid()}"),
        locked(tmp_path / "state"),
    ):
        pass
    with (
        locked(tmp_path / "state"),
        pytest.raises(StateLockedError, match=f"pid {os.getpid()}"),
        locked(tmp_path / "state"),
    ):
        pytest.fail("two holders")
    with locked(tmp_path / "state"):
        assert (tmp_path / "state" / "lock").read_text().split()[0] == str(os.getpid())


def test_the_lock_of_a_killed_holder_hinders_nobody(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal; from logos_kernel.store.lock import locked\n"
        f"with locked(pathlib.Path({str(tmp_path)!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert (tmp_path / "lock").exists()

    with locked(tmp_path):
        pass
