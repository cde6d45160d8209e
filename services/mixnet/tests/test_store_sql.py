import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from mixnet_store_contract import (
    KNOWN,
    ONE,
    AdvertisementStoreContract,
    OfferStoreContract,
    PeerStoreContract,
    due,
)

from full_disk import filled, small_disk
from logos_mixnet.core.address_book import Ban, Changes
from logos_mixnet.core.confidence import Learned
from logos_mixnet.core.errors import StoreError
from logos_mixnet.store import mix as _mix  # noqa: F401 - its tables are of the schema
from logos_mixnet.store import rln as _rln  # noqa: F401 - so are these
from logos_mixnet.store.schema import SCHEMA
from logos_mixnet.store.sql import SqlAdvertisementStore, SqlOfferStore, SqlPeerStore
from logos_module.database import Database, Schema, open_database
from schema_contract import SchemaContract


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "mixnet.sqlite", SCHEMA) as opened:
        yield opened


class TestSchema(SchemaContract):
    @pytest.fixture
    def schema(self) -> Schema:
        return SCHEMA


class TestSqlPeerStore(PeerStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqlPeerStore:
        return SqlPeerStore(database)


class TestSqlAdvertisementStore(AdvertisementStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqlAdvertisementStore:
        return SqlAdvertisementStore(database)


class TestSqlOfferStore(OfferStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> SqlOfferStore:
        return SqlOfferStore(database)


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    async with open_database(tmp_path / "db", SCHEMA) as first:
        await SqlPeerStore(first).save_peers(Changes((ONE,), ()))
        await SqlAdvertisementStore(first).extend([b"a"], expires_ms=1, limit=1)

    async with open_database(tmp_path / "db", SCHEMA) as second:
        assert await SqlPeerStore(second).load_peers() == [ONE]
        [kept] = await due(SqlAdvertisementStore(second), 0)
        assert kept.key == b"a"


async def test_peers_of_a_database_without_confidence_are_read(tmp_path: Path) -> None:
    """A version before this one has written to the same database, and knows no details."""
    path = tmp_path / "db"
    async with open_database(path, SCHEMA) as first:
        await SqlPeerStore(first).save_peers(Changes((ONE, KNOWN), ()))
    moved = json.dumps(["/ip4/9.9.9.9/tcp/1", KNOWN.addresses[0]])
    with closing(sqlite3.connect(path)) as file:
        file.execute("DELETE FROM peer_detail WHERE peer_id = 'a'")
        file.execute("UPDATE peer SET addresses = ? WHERE peer_id = 'c'", [moved])
        file.commit()

    async with open_database(path, SCHEMA) as second:
        one, known = await SqlPeerStore(second).load_peers()

    assert (one.addresses, one.learned, one.signed) == (ONE.addresses, (), None)
    assert known.learned == (Learned(), KNOWN.learned[0])


async def test_bans_of_one_peer_at_once_do_not_meet(database: Database) -> None:
    store = SqlPeerStore(database)

    for _ in range(10):
        async with asyncio.TaskGroup() as tasks:
            for number in range(20):
                tasks.create_task(store.save_ban(Ban("peer", number, "")))
                tasks.create_task(store.remove_ban("peer"))

    await store.save_ban(Ban("peer", 1, "last"))
    assert await store.load_bans() == [Ban("peer", 1, "last")]


async def test_a_full_disk_is_an_error_of_ours_and_passes(tmp_path: Path) -> None:
    keys = [n.to_bytes(128, "big") for n in range(1000)]
    with small_disk(tmp_path / "disk") as disk:
        async with open_database(disk / "mixnet.sqlite", SCHEMA) as database:
            store = SqlAdvertisementStore(database)
            with filled(disk), pytest.raises(StoreError) as caught:
                await store.extend(keys, expires_ms=1, limit=1000)

            assert caught.value.reason == "STORE_UNAVAILABLE"
            assert "the disk is full" in str(caught.value)
            assert await due(store, 0) == []
            await store.extend(keys, expires_ms=1, limit=1000)
