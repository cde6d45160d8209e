"""CHS-8 to CHS-11, CHS-14: damage, other versions, a disk without room."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chain_ledger import named
from chain_store import TABLES, Author, is_as, opened

from full_disk import filled, small_disk
from logos_base.errors import DiskFullError
from logos_chain.core.ports import ChainStoreDamagedError, KeptBlock
from logos_chain.store import rows
from logos_mantle.notes import Note
from logos_module.database import DatabaseDamagedError, DatabaseNewerError
from own_postgresql import PostgresqlServer

LOST = "DELETE FROM TABLE WHERE key IN (SELECT key FROM TABLE LIMIT 1)"
ADDED = """INSERT INTO TABLE
SELECT CAST(substr(key, 1, length(key) - 1) || x'7e' AS BLOB), value FROM TABLE LIMIT 1"""
EMPTY = "INSERT INTO TABLE SELECT x'', value FROM TABLE LIMIT 1"
CHANGED = "CAST(substr(COLUMN, 1, 40) || x'7e' || substr(COLUMN, 42) AS BLOB)"
"""The 41st byte is another one: none of these values has this one there."""
NEWEST = "height = (SELECT max(height) FROM block WHERE is_final)"


def of(template: str, **parts: str) -> str:
    for name, part in parts.items():
        template = template.replace(name, part)
    return template


DAMAGE = {
    **{f"a row of {each} is lost": of(LOST, TABLE=f"ledger_{each}") for each in TABLES},
    **{f"a row of {each} is too many": of(ADDED, TABLE=f"ledger_{each}") for each in TABLES},
    "a row of notes has no key": of(EMPTY, TABLE="ledger_notes"),
    "a row of nullifiers has text as its key": "INSERT INTO ledger_nullifiers VALUES ('key', x'')",
    "a note is worth more": (
        "UPDATE ledger_notes"
        " SET value = CAST(substr(value, 1, 33) || x'7e' || substr(value, 35) AS BLOB)"
    ),
    "a nullifier is another": (
        "UPDATE ledger_nullifiers SET key = CAST(substr(key, 2) || x'07' AS BLOB)"
    ),
    "a nullifier is text": "UPDATE ledger_nullifiers SET value = 'eight by'",
    "a channel is cut off": "UPDATE ledger_channels SET value = substr(value, 1, 9)",
    "entries have changed places": (
        "UPDATE ledger_configurations SET value = (SELECT o.value FROM ledger_configurations o"
        " WHERE o.value != ledger_configurations.value)"
    ),
    "the head has changed": of("UPDATE settled SET COLUMN = X", X=CHANGED, COLUMN="head"),
    "the head is text": "UPDATE settled SET head = 'head'",
    "the head is empty": "UPDATE settled SET head = x''",
    "the root has changed": of("UPDATE settled SET COLUMN = X", X=CHANGED, COLUMN="root"),
    "the sum has changed": "UPDATE settled SET ledger_sum = x'00'",
    "the snapshots have changed": "UPDATE snapshots SET value = substr(value, 2)",
    "the snapshots are lost": "DELETE FROM snapshots",
    "an ancestor has changed": of("UPDATE ancestor SET COLUMN = X", X=CHANGED, COLUMN="value"),
    "an ancestor is lost": "DELETE FROM ancestor WHERE slot = (SELECT max(slot) FROM ancestor)",
    "the newest block is not final": of("UPDATE block SET is_final = 0 WHERE X", X=NEWEST),
    "the newest block is lost": of("DELETE FROM block WHERE X", X=NEWEST),
    "a block is final too early": "UPDATE block SET is_final = 1",
}


@pytest.fixture
async def place(tmp_path: Path) -> Path:
    """A store with final blocks and one above them."""
    made = tmp_path / "chain.sqlite"
    await filled_with_blocks(made)
    return made


async def filled_with_blocks(place: Path | str) -> list[KeptBlock]:
    author = Author()
    async with opened(place) as store:
        await store.begin(author.genesis, author.settled)
        blocks = [author.block() for _ in range(8)]
        for each in blocks:
            await store.add(each)
        await store.settle(author.execute(blocks[:7]), [])
        found = await store.load()
        assert found is not None
        assert len(found.below) > 1
    return blocks


def execute(place: Path, statement: str, *values: Any) -> int:
    with closing(sqlite3.connect(place)) as connection, connection:
        return connection.execute(statement, values).rowcount


def dump(place: Path) -> list[str]:
    with closing(sqlite3.connect(place)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE)
async def test_damage_is_named_with_the_way_out_and_nothing_is_changed(
    place: Path, statement: str
) -> None:
    before = dump(place)
    assert execute(place, statement) > 0
    damaged = dump(place)
    assert damaged != before

    async with opened(place) as store:
        with pytest.raises(ChainStoreDamagedError) as raised:
            await store.load()

    assert str(raised.value).startswith(f"{place}: ")
    assert f"cd {place.parent} && mkdir lost && mv chain.sqlite" in str(raised.value)
    assert raised.value.reason == "CHAIN_STORE_DAMAGED"
    assert dump(place) == damaged


async def test_the_root_of_the_notes_is_looked_at_beside_the_sum(place: Path) -> None:
    """What would be written if the ledger's code had lost a note."""
    with closing(sqlite3.connect(place)) as connection, connection:
        key, value = connection.execute("SELECT key, value FROM ledger_notes").fetchone()
        connection.execute("DELETE FROM ledger_notes WHERE key = ?", (key,))
        [raw] = connection.execute("SELECT ledger_sum FROM settled").fetchone()
        lost = rows.Net([(key, value)], [])
        total = rows.sum_after(rows.NOTES, lost, int.from_bytes(raw, "big"))
        connection.execute("UPDATE settled SET ledger_sum = ?", (total.to_bytes(16, "big"),))

    async with opened(place) as store:
        with pytest.raises(ChainStoreDamagedError, match="does not fit"):
            await store.load()


@pytest.mark.parametrize("column", ["transactions", "height", "slot"])
async def test_a_damaged_row_of_a_block_is_named(place: Path, column: str) -> None:
    statement = "UPDATE block SET X = x'0102030405060708ff' WHERE NOT is_final"
    execute(place, of(statement, X=column))
    async with opened(place) as store:
        with pytest.raises(ChainStoreDamagedError, match="lost"):
            await store.unsettled(0, 9)


async def test_a_damaged_chain_of_final_blocks_is_named_by_the_opening(place: Path) -> None:
    execute(place, "UPDATE block SET height = x'ff' WHERE is_final")

    with pytest.raises(ChainStoreDamagedError, match="lost"):
        async with opened(place):
            pass


async def test_damage_on_a_server_has_another_way_out(
    postgresql: PostgresqlServer, postgresql_url: str
) -> None:
    await filled_with_blocks(postgresql_url)
    name = postgresql_url.rpartition("/")[0].rpartition("?")[0].rpartition("/")[2]
    postgresql.execute(name, "DELETE FROM ledger_nullifiers")

    async with opened(postgresql_url) as store:
        with pytest.raises(ChainStoreDamagedError) as raised:
            await store.load()

    assert "empty database" in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_bytes_that_are_no_database_are_refused(place: Path) -> None:
    await asyncio.to_thread(place.write_bytes, b"\xff" * 8192)

    with pytest.raises(DatabaseDamagedError, match="lost"):
        async with opened(place):
            pass


async def test_a_newer_database_is_refused_unchanged(place: Path) -> None:
    execute(place, "UPDATE alembic_version SET version_num = '9999'")
    before = dump(place)

    with pytest.raises(DatabaseNewerError):
        async with opened(place):
            pass

    assert dump(place) == before


async def test_an_older_database_is_upgraded(place: Path) -> None:
    """One whose tables have no version yet, of which an index is missing."""
    async with opened(place) as store:
        before = await store.load()
    execute(place, "DROP TABLE alembic_version")
    execute(place, "DROP INDEX block_by_arrival")

    async with opened(place) as store:
        found = await store.load()

    assert before is not None
    assert found is not None
    assert found.head == before.head
    assert any("block_by_arrival" in line for line in dump(place))


# -- room ------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    with small_disk(tmp_path / "disk", mebibytes=8) as folder:
        yield folder


async def test_a_full_disk_takes_nothing_and_passes(disk: Path) -> None:
    author, place = Author(), disk / "chain.sqlite"
    async with opened(place) as store:
        await store.begin(author.genesis, author.settled)
        block, large = author.block(), author.block(size=1 << 20)
        await store.add(block)
        with filled(disk):
            with pytest.raises(DiskFullError):
                await store.add(large)
            chain = settled_with_many_notes(author, block)
            with pytest.raises(DiskFullError):
                await store.settle(chain, [])

            assert not store.is_final(block.id)
            assert list(await store.unsettled(0, 9)) == [block]
            assert is_as(await store.load(), Author())
        await store.add(large)
        await store.settle(chain, [])

        assert is_as(await store.load(), author)
    async with opened(place) as store:
        assert is_as(await store.load(), author)
        assert list(await store.unsettled(0, 9)) == [large]


async def test_a_beginning_without_room_can_be_made_later(disk: Path) -> None:
    author, place = Author(), disk / "chain.sqlite"
    genesis = replace(author.genesis, raw=bytes(1 << 20))
    async with opened(place) as store:
        with filled(disk):
            with pytest.raises(DiskFullError):
                await store.begin(genesis, author.settled)
            assert await store.load() is None
            assert not store.is_final(genesis.id)

        await store.begin(genesis, author.settled)

        assert is_as(await store.load(), author)


def settled_with_many_notes(author: Author, block: KeptBlock) -> Any:
    before = author.head
    author.state.notes.add(named("many"), [Note(0, named("key"))] * 5_000)
    author.head = replace(before, slot=block.slot, root=author.state.notes.root())
    author.root = author.tree_block(block)
    return [(author.root, author.state.collect(before, author.head))]
