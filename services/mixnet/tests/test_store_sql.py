import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mixnet_store_contract import ONE, AdvertisementStoreContract, PeerStoreContract
from sqlalchemy import text

from logos_mixnet.core.address_book import Ban, Changes
from logos_mixnet.core.errors import StoreError
from logos_mixnet.store.sql import Base, SqlAdvertisementStore, SqlPeerStore
from logos_module.database import Sessions, open_database


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with open_database(tmp_path / "mixnet.sqlite", Base.metadata) as opened:
        yield opened


class TestSqlPeerStore(PeerStoreContract):
    @pytest.fixture
    def store(self, sessions: Sessions) -> SqlPeerStore:
        return SqlPeerStore(sessions)


class TestSqlAdvertisementStore(AdvertisementStoreContract):
    @pytest.fixture
    def store(self, sessions: Sessions) -> SqlAdvertisementStore:
        return SqlAdvertisementStore(sessions)


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    async with open_database(tmp_path / "db", Base.metadata) as first:
        await SqlPeerStore(first).save_peers(Changes((ONE,), ()))
        await SqlAdvertisementStore(first).extend([b"a"], expires_ms=1, limit=1)

    async with open_database(tmp_path / "db", Base.metadata) as second:
        assert await SqlPeerStore(second).load_peers() == [ONE]
        assert await SqlAdvertisementStore(second).count() == 1


async def test_bans_of_one_peer_at_once_do_not_meet(sessions: Sessions) -> None:
    store = SqlPeerStore(sessions)

    for _ in range(10):
        async with asyncio.TaskGroup() as tasks:
            for number in range(20):
                tasks.create_task(store.save_ban(Ban("peer", number, "")))
                tasks.create_task(store.remove_ban("peer"))

    await store.save_ban(Ban("peer", 1, "last"))
    assert await store.load_bans() == [Ban("peer", 1, "last")]


async def test_a_full_disk_is_an_error_of_ours_and_passes(sessions: Sessions) -> None:
    store = SqlAdvertisementStore(sessions)
    async with sessions() as session:
        await session.execute(text("PRAGMA max_page_count = 8"))  # of this connection
    keys = [n.to_bytes(128, "big") for n in range(1000)]

    with pytest.raises(StoreError) as caught:
        await store.extend(keys, expires_ms=1, limit=1000)

    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert await store.count() == 0
    async with sessions() as session:
        await session.execute(text("PRAGMA max_page_count = 1000000"))
    await store.extend(keys, expires_ms=1, limit=1000)
