"""CHS-10, CHS-14, CHS-15: damage beside the chain is named, and older databases are upgraded."""

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from chain_ledger import field_of, named
from chain_store import Author, is_as, opened_all
from sqlalchemy import Connection, create_engine, insert
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from logos_chain.core.mempool.types import Saved
from logos_chain.core.ports import ChainStoreDamagedError
from logos_chain.core.wallet.ports import KeptDraft, KeptEntry
from logos_chain.core.zone_ports import ChannelBlock
from logos_chain.store.opening import OpenStore
from logos_chain.store.schema import SCHEMA, WalletKeysRow, WalletStateRow
from logos_chain.store.seals import check_seal, seal_of
from logos_chain.store.wallets import SqlWallets
from logos_crypto.trees import merkle_path
from logos_module.database import Schema, table_of, writing
from logos_module.database.upgrade import upgrade
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.core.places import Checkpoint, PendingPayload

ONE, TWO = named("one"), named("two")
Read = Callable[[OpenStore], Awaitable[object]]

READS: dict[str, Read] = {
    "proposal": lambda store: store.proposals.slots(),
    "aged_path": lambda store: store.paths.load(ONE),
    "node_mark": lambda store: store.marks.number("one"),
    "waiting": lambda store: store.transactions.load(),
    "wallet_state": lambda store: store.wallets.load("main", ONE),
    "wallet_entry": lambda store: store.wallets.entries("main", None, 9),
    "wallet_draft": lambda store: store.wallets.drafts("main"),
    "wallet_voucher": lambda store: store.wallets.next_voucher("main"),
    "wallet_keys": lambda store: store.wallets.used_before("main"),
    "wallet_watched": lambda store: store.wallets.watched("main"),
    "registry_state": lambda store: store.registries.load(ONE),
    "channel_block": lambda store: store.channels.page(ONE, 0, 9),
    "channel_index": lambda store: store.channels.end(),
    "zone_writer": lambda store: store.sequencers.load(ONE, TWO),
    "zone_payload": lambda store: store.sequencers.load(ONE, TWO),
}
CHANGES = {
    "proposal": ["slot = x'0000000000000008'", "note = x'07'", "slot = 'eight by'"],
    "aged_path": ["note = CAST(substr(note, 2) || x'07' AS BLOB)", "value = x'07'", "value = 'x'"],
    "node_mark": ["number = x'0000000000000008'", "number = 7", "number = x''"],
    "waiting": [
        "raw = x'07'",
        "place = place + 1",
        "place = 'first'",
        "since_ms = x'0000000000000008'",
        "fingerprint = NULL",
        "fingerprint = 'text'",
        "id = CAST(substr(id, 2) || x'07' AS BLOB)",
    ],
    "wallet_state": ["value = x'07'", "height = x'0000000000000008'", "value = 'text'"],
    "wallet_entry": ["value = x'07'", "height = x'0000000000000008'", "place = x''"],
    "wallet_draft": ["value = x'07'", "hash = CAST(substr(hash, 2) || x'07' AS BLOB)"],
    "wallet_voucher": ["next = x'0000000000000008'", "next = 7"],
    "wallet_keys": ["receive = x'0000000000000008'", "change = x'0000000000000008'", "change = 7"],
    "wallet_watched": ["key = x'07'", "key = 'text'"],
    "registry_state": ["value = x'07'", "value = 'text'"],
    "channel_block": ["height = x'0000000000000008'", "height = x'07'"],
    "channel_index": ["height = x'0000000000000008'", "height = 7", "height = x''"],
    "zone_writer": ["checkpoint = x'07'", "checkpoint = 'text'"],
    "zone_payload": ["number = x'0000000000000008'", "payload = x'07'", "payload = 'text'"],
}
DAMAGE = [
    (table, change) for table, changes in CHANGES.items() for change in (*changes, "seal = x'07'")
]


def of(template: str, **parts: str) -> str:
    for name, part in parts.items():
        template = template.replace(name, part)
    return template


@writing
async def use(wallets: SqlWallets, session: AsyncSession) -> None:
    keys = {"receive": bytes(8), "change": bytes(8)}
    seal = seal_of("wallet_keys", b"main", *keys.values())
    await session.execute(insert(table_of(WalletKeysRow)).values(wallet="main", seal=seal, **keys))


async def fill(store: OpenStore) -> None:
    await store.proposals.note(9, ONE, final_slot=0)
    await store.paths.keep(ONE, {TWO: merkle_path(5, [field_of(each) for each in range(32)])})
    await store.marks.put("one", 1)
    await store.transactions.save([Saved(b"transaction", 5, ONE)])
    await store.wallets.keep("main", ONE, 1, b"state", [KeptEntry(1, 0, b"entry")])
    await store.wallets.put_draft("main", KeptDraft(ONE, b"draft"))
    await store.wallets.issue_until("main", 7)
    await use(store.wallets)
    await store.wallets.watch("main", ONE)
    await store.registries.keep(ONE, b"members")
    await store.channels.add([ChannelBlock(ONE, 5)], 7)
    pending = (PendingPayload(3, b"payload"),)
    await store.sequencers.publish(Checkpoint(ONE, TWO, Point(ONE, 1, 2), None, 4, pending))


@pytest.mark.parametrize(("table", "change"), DAMAGE)
async def test_damage_is_named_with_the_way_out(tmp_path: Path, table: str, change: str) -> None:
    place = tmp_path / "chain.sqlite"
    async with opened_all(place) as store:
        await fill(store)
        for read in READS.values():
            assert await read(store)
    with closing(sqlite3.connect(place)) as connection, connection:
        assert connection.execute(of("UPDATE TABLE SET X", TABLE=table, X=change)).rowcount == 1

    async with opened_all(place) as store:
        with pytest.raises(ChainStoreDamagedError) as raised:
            await READS[table](store)

    assert str(raised.value).startswith(f"{place}: ")
    assert f"cd {place.parent} && mkdir lost && mv chain.sqlite" in str(raised.value)


async def test_a_damaged_number_of_vouchers_is_not_written_over(tmp_path: Path) -> None:
    place = tmp_path / "chain.sqlite"
    async with opened_all(place) as store:
        await fill(store)
    with closing(sqlite3.connect(place)) as connection, connection:
        connection.execute("UPDATE wallet_voucher SET next = x'0000000000000001'")
        connection.execute("UPDATE waiting SET place = 'first'")

    async with opened_all(place) as store:
        with pytest.raises(ChainStoreDamagedError, match="mkdir lost"):
            await store.wallets.issue_until("main", 5)
        with pytest.raises(ChainStoreDamagedError, match="mkdir lost"):
            await store.transactions.save([])


def test_rows_that_differ_have_other_seals() -> None:
    rows: list[tuple[str, tuple[bytes | None, ...]]] = [
        ("one", (b"ab", b"c")),
        ("one", (b"a", b"bc")),
        ("one", (b"abc",)),
        ("one", (b"abc", b"")),
        ("one", (b"abc", None)),
        ("one", (b"abc", b"\xff" * 8)),
        ("two", (b"ab", b"c")),
    ]

    seals = [seal_of(table, *columns) for table, columns in rows]

    assert len(set(seals)) == len(rows)
    check_seal(seals[0], "one", b"ab", b"c")
    for wrong in (seals[1], b"", None, seals[0].hex()):
        with pytest.raises(ChainStoreDamagedError, match="a row of one"):
            check_seal(wrong, "one", b"ab", b"c")


# -- versions --------------------------------------------------------------------------------------


def former_schema(folder: Path, newest: int) -> Schema:
    """The scripts up to a version alone."""
    versions = folder / "versions"
    versions.mkdir()
    for each in SCHEMA.versions.glob("v*.py"):
        if int(each.name[1:5]) <= newest:
            shutil.copy(each, versions)
    return Schema(SCHEMA.metadata, versions)


@pytest.fixture
def first_schema(tmp_path: Path) -> Schema:
    return former_schema(tmp_path, 1)


async def test_a_database_of_version_0001_is_upgraded_with_its_chain(
    tmp_path: Path, first_schema: Schema
) -> None:
    old, new, author = tmp_path / "old.sqlite", tmp_path / "new.sqlite", Author()
    async with opened_all(new) as store:
        await store.chain.begin(author.genesis, author.settled)
        blocks = [author.block() for _ in range(4)]
        for each in blocks:
            await store.chain.add(each)
        await store.chain.settle(author.execute(blocks[:3]), [])
    engine = create_engine(f"sqlite:///{old}", poolclass=NullPool)
    with engine.begin() as first:
        upgrade(first, first_schema)
    with closing(sqlite3.connect(old)) as connection, connection:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            if name != "alembic_version"
        ]
        assert not set(names) & set(READS)
        connection.execute("ATTACH ? AS filled", (str(new),))
        for each in names:
            connection.execute(of("INSERT INTO main.X SELECT * FROM filled.X", X=each))

    async with opened_all(old) as store:
        assert is_as(await store.chain.load(), author)
        assert await store.chain.unsettled(0, 9) == blocks[3:]
        await fill(store)
    async with opened_all(old) as store:
        for read in READS.values():
            assert await read(store)


async def test_a_database_of_version_0001_is_upgraded_on_postgresql(
    postgresql_url: str, first_schema: Schema
) -> None:
    engine = create_async_engine(postgresql_url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, first_schema)

    async with opened_all(postgresql_url) as store:
        assert await store.chain.load() is None
        await fill(store)
        for read in READS.values():
            assert await read(store)


def keys_of_0005(watched: bytes) -> list[dict[str, object]]:
    """Rows of `wallet_state` up to version 0005: a wallet's state, and the keys that it watches."""
    rows = (("node", ONE, b"state"), ("node/watched", bytes(32), watched))
    return [
        {
            "wallet": wallet,
            "block": block,
            "height": bytes(8),
            "seal": seal_of("wallet_state", wallet.encode(), block, bytes(8), value),
            "value": value,
        }
        for wallet, block, value in rows
    ]


def filled_0005(connection: Connection, schema: Schema, rows: list[dict[str, object]]) -> None:
    upgrade(connection, schema)
    connection.execute(insert(table_of(WalletStateRow)), rows)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_watched_keys_of_version_0005_get_rows_of_their_own(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """CHS-14, WAL-9."""
    schema, rows = former_schema(tmp_path, 5), keys_of_0005(TWO + ONE)
    place: Path | str = tmp_path / "chain.sqlite"
    if kind == "postgresql":
        place = request.getfixturevalue("postgresql_url")
        async with create_async_engine(place, poolclass=NullPool).begin() as connection:
            await connection.run_sync(filled_0005, schema, rows)
    else:
        with create_engine(f"sqlite:///{place}", poolclass=NullPool).begin() as connection:
            filled_0005(connection, schema, rows)

    async with opened_all(place) as store:
        assert await store.wallets.watched("node") == sorted((ONE, TWO))
        assert await store.wallets.load("node/watched", bytes(32)) is None
        assert await store.wallets.load("node", ONE) == b"state"
        await store.wallets.watch("node", TWO)
        assert await store.wallets.watched("node") == sorted((ONE, TWO))


@pytest.mark.parametrize("change", ["value = x'07'", "value = 'text'", "height = 7", "seal = x''"])
async def test_damaged_keys_of_version_0005_are_named_where_they_are_read(
    tmp_path: Path, change: str
) -> None:
    """CHS-10."""
    place = tmp_path / "chain.sqlite"
    engine = create_engine(f"sqlite:///{place}", poolclass=NullPool)
    with engine.begin() as connection:
        filled_0005(connection, former_schema(tmp_path, 5), keys_of_0005(ONE))
    with closing(sqlite3.connect(place)) as raw, raw:
        raw.execute(of("UPDATE wallet_state SET X WHERE wallet = 'node/watched'", X=change))

    async with opened_all(place) as store:
        with pytest.raises(ChainStoreDamagedError, match="mkdir lost"):
            await store.wallets.watched("node")
        assert await store.wallets.load("node", ONE) == b"state"
