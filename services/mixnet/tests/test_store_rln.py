"""RLN-24, RLN-26: what rate limits keep on disk."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.importorskip("logos_native")

from mixnet_store_contract import (
    MembershipStoreContract,
    MessageIdStoreContract,
    announcement,
)

from full_disk import filled, small_disk
from logos_base.errors import ConfigError
from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.rln.message_ids import Reserved, Save
from logos_mixnet.store.rln import SqlMembers, SqlMessageIdStore
from logos_mixnet.store.rln_secret import load_or_create_member, seeded_member
from logos_mixnet.store.schema import SCHEMA
from logos_module.database import Database, open_database

ONE, OTHER = b"1" * 32, b"2" * 32


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "mixnet.sqlite", SCHEMA) as opened:
        yield opened


class TestSqlMessageIdStore(MessageIdStoreContract):
    @pytest.fixture
    def ids(self, database: Database) -> SqlMessageIdStore:
        return SqlMessageIdStore(database, ONE)


class TestSqlMembers(MembershipStoreContract):
    @pytest.fixture
    def members(self, database: Database) -> SqlMembers:
        return SqlMembers(database, is_open=True)

    @pytest.fixture
    def listed(self, database: Database) -> SqlMembers:
        return SqlMembers(database, genesis=[(5).to_bytes(32, "little")])


async def test_identifiers_have_budgets_apart(database: Database) -> None:
    one, other = SqlMessageIdStore(database, ONE), SqlMessageIdStore(database, OTHER)

    await one.save(Save(Reserved(7, 3), 5))
    await other.save(Save(Reserved(7, 9), 6))

    assert await one.load() == ([Reserved(7, 3)], 5)
    assert await other.load() == ([Reserved(7, 9)], 6)


async def test_a_full_disk_is_an_error_of_ours_and_passes(tmp_path: Path) -> None:
    many = [Save(Reserved(epoch, 1), -1) for epoch in range(2_000)]
    with small_disk(tmp_path / "disk") as disk:
        async with open_database(disk / "mixnet.sqlite", SCHEMA) as database:
            ids = SqlMessageIdStore(database, ONE)
            with filled(disk), pytest.raises(StoreError) as caught:
                await save_all(ids, many)

            assert caught.value.reason == "STORE_UNAVAILABLE"
            assert 0 <= len((await ids.load())[0]) < len(many)
            await ids.save(Save(Reserved(9_999, 1), -1))
            await SqlMembers(database).save_announcement(announcement(1))


async def save_all(ids: SqlMessageIdStore, saves: list[Save]) -> None:
    for save in saves:
        await ids.save(save)


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "rln.key"

    first = load_or_create_member(path)

    assert load_or_create_member(path) == first
    assert path.read_bytes() == first.secret()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_member(tmp_path / "other.key") != first


@pytest.mark.parametrize("content", [b"", bytes(32), b"\xff" * 32, b"x" * 33])
def test_a_file_that_is_no_secret_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rln.key"
    path.write_bytes(content)

    with pytest.raises(ConfigError):
        load_or_create_member(path)

    assert path.read_bytes() == content


def test_a_seed_gives_each_node_a_secret_of_its_own() -> None:
    assert seeded_member(7, "node1") == seeded_member(7, "node1")
    assert len({seeded_member(s, n).commitment for s in (7, 8) for n in ("node1", "node2")}) == 4
