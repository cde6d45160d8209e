"""KER-35: events that outlive a kernel."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from event_store_contract import EventStoreContract, event
from memory_events import MemoryEventStore

from full_disk import filled
from logos_base.errors import DiskFullError
from logos_kernel.core.errors import StateLockedError
from logos_kernel.core.events import Commit, NewEvent
from logos_kernel.store.events import SqlEventStore
from logos_kernel.store.schema import open_store
from logos_kernel.store.sql import SqlModuleStore


class TestMemory(EventStoreContract):
    @pytest.fixture
    def events(self) -> MemoryEventStore:
        return MemoryEventStore()


class TestSql(EventStoreContract):
    @pytest.fixture
    async def events(self, tmp_path: Path) -> AsyncIterator[SqlEventStore]:
        async with open_store(tmp_path) as store:
            yield store.events


class TestPostgresql(EventStoreContract):
    @pytest.fixture
    async def events(self, tmp_path: Path, postgresql_url: str) -> AsyncIterator[SqlEventStore]:
        async with open_store(tmp_path, postgresql_url) as store:
            yield store.events


async def test_a_kernel_appends_nothing_after_another_has_begun(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.begin()
        await SqlModuleStore(store.database).begin()

        with pytest.raises(StateLockedError):
            await store.events.append(Commit((event(1),)))


async def test_a_full_disk_appends_nothing_until_there_is_room(disk: Path) -> None:
    large = Commit((event(1, said=NewEvent(bytes(64 * 1024))),))
    async with open_store(disk) as store:
        with filled(disk), pytest.raises(DiskFullError):
            await store.events.append(large)

        await store.events.append(large)

        assert (await store.events.read(["*"], 0, 10)).events == large.events
