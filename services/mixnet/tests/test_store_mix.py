"""Keys, tags and profile of the mix on disk, and in memory for tests."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mixnet_mixes import MemoryMixStore

from full_disk import filled, small_disk
from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.mixing.keys import MixKey, MixStore
from logos_mixnet.store.mix import SqlMixStore
from logos_mixnet.store.schema import SCHEMA
from logos_module.database import open_database


@pytest.fixture(params=["memory", "sql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MixStore]:
    if request.param == "memory":
        yield MemoryMixStore()
        return
    async with open_database(tmp_path / "mixnet.sqlite", SCHEMA) as database:
        yield SqlMixStore(database)


def key(epoch: int) -> MixKey:
    return MixKey(epoch, bytes([epoch]) * 32, 2**41 + epoch)


async def tags_of(store: MixStore, epoch: int) -> bytes:
    return b"".join([tags async for tags in store.load_tags(epoch)])


async def test_keys_are_kept_the_newest_first(store: MixStore) -> None:
    assert await store.load_keys() == []
    for epoch in (1, 3, 2):
        await store.add_key(key(epoch))
    assert await store.load_keys() == [key(3), key(2), key(1)]


async def test_tags_are_kept_for_their_key_and_go_with_it(store: MixStore) -> None:
    for epoch in (1, 2, 3):
        await store.add_key(key(epoch))
        await store.add_tags(epoch, [bytes([epoch]) * 16, bytes([epoch + 9]) * 16])
    await store.add_tags(2, [bytes(16)])
    await store.retire(1)
    assert await store.load_keys() == [key(3), key(2)]
    assert await tags_of(store, 1) == b""
    assert await tags_of(store, 2) == bytes([2]) * 16 + bytes([11]) * 16 + bytes(16)
    await store.add_tags(1, [bytes(16)])  # they were under way when it was retired
    assert await tags_of(store, 1) == b""


async def test_more_batches_are_loaded_than_one_query_returns(store: MixStore) -> None:
    await store.add_key(key(1))
    for number in range(1_100):
        await store.add_tags(1, [number.to_bytes(16, "big")])
    assert await tags_of(store, 1) == b"".join(n.to_bytes(16, "big") for n in range(1_100))


async def test_a_profile_is_kept(store: MixStore) -> None:
    assert await store.load_profile() is None
    await store.save_profile("strong")
    await store.save_profile("demo")
    assert await store.load_profile() == "demo"


async def test_of_a_retired_key_no_byte_stays_on_the_disk(tmp_path: Path) -> None:
    path, secret = tmp_path / "mixnet.sqlite", secrets.token_bytes(32)
    async with open_database(path, SCHEMA) as database:
        store = SqlMixStore(database)
        await store.add_key(MixKey(1, secret, 1))
        await store.add_key(key(2))
    assert secret in path.read_bytes()
    async with open_database(path, SCHEMA) as database:
        await SqlMixStore(database).retire(1)
    left = b"".join(each.read_bytes() for each in sorted(tmp_path.glob("*")))  # noqa: ASYNC240
    assert secret not in left


async def test_where_the_disk_is_full_nothing_is_forgotten(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        async with open_database(disk / "mixnet.sqlite", SCHEMA) as database:
            store = SqlMixStore(database)
            await store.add_key(key(1))
            await store.add_tags(1, [bytes(16)])
            with filled(disk), pytest.raises(StoreError):
                await store.add_tags(1, [secrets.token_bytes(16)] * 100_000)
            before = await tags_of(store, 1)
            await store.add_tags(1, [bytes([1]) * 16])
            assert await tags_of(store, 1) == before + bytes([1]) * 16
