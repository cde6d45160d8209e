"""KER-8: what outlives a kernel."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from module_store_contract import FULL, ModuleStoreContract

from logos_kernel.core.errors import StateLockedError
from logos_kernel.store.lock import locked
from logos_kernel.store.memory import MemoryModuleStore
from logos_kernel.store.sql import Base, SqlModuleStore
from logos_module.database import open_database


class TestMemory(ModuleStoreContract):
    @pytest.fixture
    def store(self) -> MemoryModuleStore:
        return MemoryModuleStore()


class TestSql(ModuleStoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqlModuleStore]:
        async with open_database(tmp_path / "kernel.sqlite", Base.metadata) as sessions:
            yield SqlModuleStore(sessions)

    async def test_survives_being_closed(self, tmp_path: Path) -> None:
        for expected in (1, 2):
            async with open_database(tmp_path / "kernel.sqlite", Base.metadata) as sessions:
                store = SqlModuleStore(sessions)
                assert await store.begin() == expected
                assert await store.load() == ([FULL] if expected == 2 else [])
                await store.save(FULL)


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
        assert int((tmp_path / "state" / "lock").read_text()) == os.getpid()


def test_the_lock_of_a_killed_holder_hinders_nobody(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal; from logos_kernel.store.lock import locked\n"
        f"with locked(pathlib.Path({str(tmp_path)!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert (tmp_path / "lock").exists()

    with locked(tmp_path):
        pass
