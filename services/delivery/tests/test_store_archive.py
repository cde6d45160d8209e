"""DST-4 to DST-8, DST-13, DST-14: one suite for the archive in memory and on both databases."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from full_disk import filled, small_disk
from logos_base.errors import DiskFullError
from logos_delivery.core.archive.errors import StoreCursorUnknownError, StoreQueryInvalidError
from logos_delivery.core.archive.ports import Archive
from logos_delivery.core.archive.types import PAGE_BYTES, Entry, Page, Position, Query
from logos_delivery.core.message import Message
from logos_delivery.store.memory import MemoryArchive
from logos_delivery.store.opening import open_store
from logos_delivery.store.schema import SCHEMA
from logos_delivery.store.sql import SqlArchive
from logos_module.database import Schema
from schema_contract import SchemaContract

SHARD = "/waku/2/rs/3/0"
TOPIC = "/app/1/chat/proto"
AFTER_ALL = Position((1 << 63) - 1, b"\xff" * 32)


def entry(
    number: int, *, at: int | None = None, shard: str = SHARD, topic: str = TOPIC, size: int = 0
) -> Entry:
    payload = number.to_bytes(4, "big") + bytes(size)
    time_ns = 1000 + number if at is None else at
    return Entry.of(shard, Message(payload, topic, timestamp_ns=time_ns))


async def pages(archive: Archive, query: Query) -> list[Page]:
    """All pages of a query, to the last."""
    found = [await archive.query(query)]
    while (cursor := found[-1].cursor) is not None:
        found.append(await archive.query(Query(**_fields(query) | {"cursor": cursor})))
    return found


def _fields(query: Query) -> dict[str, Any]:
    return {name: getattr(query, name) for name in Query.__slots__}


class ArchiveContract:
    """What every archive does; subclasses have a fixture `archive`."""

    async def test_a_message_comes_back_whole_with_its_proof(self, archive: Archive) -> None:
        message = Message(
            payload=b"\0\xff",
            content_topic="/ä/1/\0/proto",
            version=4_294_967_295,
            timestamp_ns=1,
            meta=bytes(64),
            proof=b"proof",
        )

        await archive.put([Entry.of("/waku/2/rs/1/1", message)])

        page = await archive.query(Query(include_data=True))
        assert page == Page((Entry.of("/waku/2/rs/1/1", message),))

    async def test_a_message_is_kept_once(self, archive: Archive) -> None:
        first = Entry.of(SHARD, Message(b"x", TOPIC, timestamp_ns=5, proof=b"first"))
        again = Entry.of(SHARD, Message(b"x", TOPIC, timestamp_ns=5, proof=b"second"))

        assert await archive.put([first, first, entry(1)]) == 2
        assert await archive.put([again]) == 0

        assert (await archive.query(Query(include_data=True))).entries[0] == first
        assert await archive.count() == 2

    async def test_nothing_is_put_and_nothing_found(self, archive: Archive) -> None:
        assert await archive.put([]) == 0
        assert await archive.query(Query()) == Page()
        assert await archive.count() == await archive.size_bytes() == 0
        assert await archive.oldest_ns() is None
        assert await archive.newest_ns() is None
        assert await archive.first_of_newest(1) is None
        assert await archive.first_of_newest_bytes(1) is None

    async def test_equal_times_are_ordered_by_hash(self, archive: Archive) -> None:
        entries = [entry(number, at=7) for number in range(30)]
        await archive.put(entries)

        found = await pages(archive, Query(limit=7))

        hashes = [one.hash for page in found for one in page.entries]
        assert hashes == sorted(one.hash for one in entries)

    async def test_backward_pages_are_chronological_each(self, archive: Archive) -> None:
        entries = [entry(number) for number in range(10)]
        await archive.put(entries)

        first, second, third = await pages(archive, Query(limit=4, is_forward=False))

        assert [one.hash for one in first.entries] == [one.hash for one in entries[6:]]
        assert first.cursor == entries[6].hash
        assert [one.hash for one in second.entries] == [one.hash for one in entries[2:6]]
        assert [one.hash for one in third.entries] == [one.hash for one in entries[:2]]
        assert third.cursor is None

    async def test_a_page_that_ends_with_the_last_message_has_no_cursor(
        self, archive: Archive
    ) -> None:
        await archive.put([entry(number) for number in range(10)])

        first, second = await pages(archive, Query(limit=5))

        assert first.cursor == first.entries[-1].hash
        assert (len(second.entries), second.cursor) == (5, None)

    @pytest.mark.parametrize(
        ("limit", "expected"), [(None, 20), (0, 20), (1, 1), (100, 100), (10**6, 100)]
    )
    async def test_pages_have_their_size(
        self, archive: Archive, limit: int | None, expected: int
    ) -> None:
        await archive.put([entry(number) for number in range(101)])

        assert len((await archive.query(Query(limit=limit))).entries) == expected

    async def test_a_page_has_no_more_bytes_than_may_be(self, archive: Archive) -> None:
        large = PAGE_BYTES // 3
        await archive.put([entry(number, size=large) for number in range(5)])
        await archive.put([entry(9, size=PAGE_BYTES)])

        forward = await pages(archive, Query(include_data=True))
        backward = await pages(archive, Query(include_data=True, is_forward=False))

        assert [len(page.entries) for page in forward] == [2, 2, 1, 1]
        assert [len(page.entries) for page in backward] == [1, 2, 2, 1]
        assert len((await archive.query(Query())).entries) == 6

    async def test_a_cursor_needs_its_message_to_be_kept(self, archive: Archive) -> None:
        entries = [entry(number) for number in range(3)]
        await archive.put(entries)
        await archive.delete_before(entries[1].position, 10)

        with pytest.raises(StoreCursorUnknownError, match="cursor not found"):
            await archive.query(Query(cursor=entries[0].hash))
        assert len((await archive.query(Query(cursor=entries[1].hash))).entries) == 1

    async def test_a_cursor_may_be_a_message_that_does_not_meet_the_query(
        self, archive: Archive
    ) -> None:
        await archive.put([entry(1), entry(2, topic="/other/1/a/b"), entry(3)])

        page = await archive.query(
            Query(content_topics=(TOPIC,), cursor=entry(2, topic="/other/1/a/b").hash)
        )

        assert [one.hash for one in page.entries] == [entry(3).hash]

    async def test_times_are_bounds_that_belong_to_what_is_found(self, archive: Archive) -> None:
        await archive.put([entry(number, at=number) for number in range(1, 8)])

        page = await archive.query(Query(start_ns=3, end_ns=5, include_data=True))

        assert [one.kept.timestamp_ns for one in page.entries] == [3, 4, 5]
        assert (await archive.query(Query(start_ns=5, end_ns=3))).entries == ()
        extreme = Query(start_ns=-(1 << 63), end_ns=(1 << 63) - 1)
        assert len((await archive.query(extreme)).entries) == 7

    async def test_topics_are_found_on_every_shard(self, archive: Archive) -> None:
        shards = [f"/waku/2/rs/3/{number}" for number in range(7)]
        topics = [f"/app/1/{number}/proto" for number in range(9)]
        await archive.put(
            [
                entry(number, shard=shard, topic=topic)
                for number, shard in enumerate(shards)
                for topic in topics
            ]
        )

        all_shards = await pages(archive, Query(content_topics=tuple(topics[:9]), limit=10))
        one_shard = await archive.query(Query(pubsub_topic=shards[2], limit=100))
        both = await archive.query(
            Query(pubsub_topic=shards[2], content_topics=(topics[1], topics[1], "unknown"))
        )

        assert sum(len(page.entries) for page in all_shards) == 63
        assert len(one_shard.entries) == 9
        assert [one.hash for one in both.entries] == [
            entry(2, shard=shards[2], topic=topics[1]).hash
        ]
        assert (await archive.query(Query(pubsub_topic="unknown"))).entries == ()
        assert (await archive.query(Query(content_topics=("x" * 5000,)))).entries == ()

    async def test_hashes_are_looked_up(self, archive: Archive) -> None:
        entries = [entry(number) for number in range(10)]
        await archive.put(entries)
        wanted = (entries[8].hash, bytes([1]) * 32, entries[3].hash, entries[3].hash)

        page = await archive.query(Query(hashes=wanted))
        elsewhere = await archive.query(Query(hashes=wanted, pubsub_topic="/waku/2/rs/3/1"))
        first, second = await pages(archive, Query(hashes=wanted, limit=1))

        assert [one.hash for one in page.entries] == [entries[3].hash, entries[8].hash]
        assert elsewhere.entries == ()
        assert (first.entries + second.entries, second.cursor) == (page.entries, None)
        assert await archive.present(wanted) == {entries[3].hash, entries[8].hash}

    async def test_a_query_is_checked(self, archive: Archive) -> None:
        with pytest.raises(StoreQueryInvalidError):
            await archive.query(Query(cursor=bytes(32)))

    async def test_the_newest_of_a_count_and_of_a_size(self, archive: Archive) -> None:
        entries = [entry(number, size=100 * (number % 2)) for number in range(10)]
        await archive.put(entries)
        sizes = [one.size_bytes for one in entries]

        assert await archive.size_bytes() == sum(sizes)
        assert await archive.first_of_newest(10) is None
        assert await archive.first_of_newest(3) == entries[7].position
        assert await archive.first_of_newest_bytes(sum(sizes)) is None
        assert await archive.first_of_newest_bytes(sum(sizes[7:])) == entries[7].position
        assert await archive.first_of_newest_bytes(sum(sizes[7:]) - 1) == entries[8].position
        assert await archive.first_of_newest_bytes(1) == entries[9].position
        assert (await archive.oldest_ns(), await archive.newest_ns()) == (1000, 1009)

    async def test_the_oldest_are_deleted_up_to_a_limit(self, archive: Archive) -> None:
        entries = [entry(number, at=number // 2) for number in range(10)]
        ordered = sorted(entries, key=lambda one: one.position)
        await archive.put(entries)

        assert await archive.delete_before(ordered[5].position, 3) == 3
        assert await archive.delete_before(ordered[5].position, 3) == 2
        assert await archive.delete_before(ordered[5].position, 3) == 0

        left = (await archive.query(Query())).entries
        assert [one.hash for one in left] == [one.hash for one in ordered[5:]]

    async def test_positions_are_read_on_from_any_of_them(self, archive: Archive) -> None:
        entries = [entry(number, topic=f"/a/1/{number}/b") for number in range(5)]
        await archive.put(entries)

        found = await archive.positions(entries[1].position, 2)

        assert list(found) == [
            (one.position, SHARD, one.kept.content_topic) for one in entries[2:4]
        ]
        assert len(await archive.positions(Position(1001, b""), 10)) == 4


class TestMemory(ArchiveContract):
    @pytest.fixture
    def archive(self) -> MemoryArchive:
        return MemoryArchive()


class TestSqlite(ArchiveContract):
    @pytest.fixture
    async def archive(self, tmp_path: Path) -> AsyncIterator[SqlArchive]:
        async with open_store(tmp_path / "delivery.sqlite") as store:
            yield store.archive


class TestPostgresql(ArchiveContract):
    @pytest.fixture
    async def archive(self, postgresql_url: str) -> AsyncIterator[SqlArchive]:
        async with open_store(postgresql_url) as store:
            yield store.archive


class TestSchema(SchemaContract):
    @pytest.fixture
    def schema(self) -> Schema:
        return SCHEMA


# Small ranges on purpose: the bugs live where times are equal and pages end.
TOPICS = ["/a/1/x/p", "/a/1/y/p", "/b/1/x/p"]
SHARDS = ["/waku/2/rs/3/0", "/waku/2/rs/3/1"]
kept = st.builds(
    entry,
    st.integers(0, 15),
    at=st.integers(1, 4),
    shard=st.sampled_from(SHARDS),
    topic=st.sampled_from(TOPICS),
)
times = st.none() | st.integers(0, 5)
filters = st.builds(
    Query,
    pubsub_topic=st.none() | st.sampled_from([*SHARDS, ""]),
    content_topics=st.lists(st.sampled_from(TOPICS), max_size=3).map(tuple),
    start_ns=times,
    end_ns=times,
    include_data=st.booleans(),
    is_forward=st.booleans(),
    limit=st.integers(1, 4),
)
lookups = st.builds(
    Query,
    hashes=st.lists(kept.map(lambda one: one.hash), min_size=1, max_size=6).map(tuple),
    pubsub_topic=st.none() | st.sampled_from(SHARDS),
    include_data=st.booleans(),
    is_forward=st.booleans(),
    limit=st.integers(1, 3),
)
Case = tuple[list[Entry], int, list[Query]]
cases = st.tuples(
    st.lists(kept, max_size=25), st.integers(0, 8), st.lists(filters | lookups, max_size=4)
)


async def agree(archive: Archive, case: Case) -> None:
    entries, deleted, queries = case
    oracle = MemoryArchive()
    while await archive.delete_before(AFTER_ALL, 1000):
        pass
    for one in (archive, oracle):
        await one.put(entries)
        await one.delete_before(AFTER_ALL, deleted)
    for query in queries:
        assert await pages(archive, query) == await pages(oracle, query)


@contextmanager
def opened(place: Path | str) -> Iterator[tuple[asyncio.Runner, SqlArchive]]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        store = runner.run(stack.enter_async_context(open_store(place)))
        try:
            yield runner, store.archive
        finally:
            runner.run(stack.aclose())


@pytest.mark.property
def test_all_pages_on_sqlite_are_those_of_the_list_in_memory(tmp_path: Path) -> None:
    with opened(tmp_path / "delivery.sqlite") as (runner, archive):

        @settings(max_examples=80)
        @example(([entry(1, at=1)], 0, [Query(limit=1)]))
        @given(cases)
        def check(case: Case) -> None:
            runner.run(agree(archive, case))

        check()


@pytest.mark.property
def test_all_pages_on_postgresql_are_those_of_the_list_in_memory(postgresql_url: str) -> None:
    with opened(postgresql_url) as (runner, archive):

        @settings(max_examples=60)
        @given(cases)
        def check(case: Case) -> None:
            runner.run(agree(archive, case))

        check()


async def test_nodes_that_share_a_server_put_the_same_messages_at_once(
    postgresql_url: str,
) -> None:
    """DST-14: each is kept once, and no node fails because another was first."""
    entries = [entry(number) for number in range(200)]
    async with AsyncExitStack() as stack:
        stores = [
            await stack.enter_async_context(open_store(postgresql_url, is_shared=True))
            for _ in range(2)
        ]
        archives = [store.archive for store in stores]
        new = await asyncio.gather(
            *(
                archives[number % 2].put(entries[start : start + 20])
                for start in range(0, 200, 10)
                for number in range(2)
            )
        )
        deleted = await asyncio.gather(
            *(archive.delete_before(entries[100].position, 1000) for archive in archives)
        )

        assert sum(new) == 200
        assert sum(deleted) == 100
        assert [await archive.count() for archive in archives] == [100, 100]


async def test_a_full_disk_keeps_nothing_of_a_put_until_there_is_room(tmp_path: Path) -> None:
    entries = [entry(number, size=64 * 1024) for number in range(2)]
    with small_disk(tmp_path / "disk", mebibytes=2) as disk:
        async with open_store(disk / "delivery.sqlite") as store:
            with filled(disk), pytest.raises(DiskFullError):
                await store.archive.put(entries)

            assert await store.archive.count() == 0
            assert await store.archive.put(entries) == 2


async def test_the_file_gives_room_back(tmp_path: Path) -> None:
    """DST-23."""
    path = tmp_path / "delivery.sqlite"
    entries = [entry(number, size=16 * 1024) for number in range(300)]
    async with open_store(path) as store:
        await store.archive.put(entries)
        while await store.archive.delete_before(entries[290].position, 100):
            pass
        rounds = 1
        while await store.archive.reclaim():
            rounds += 1
    smaller = path.stat().st_size

    assert rounds > 2
    assert smaller < 1024 * 1024
    async with open_store(path) as store:
        assert await store.archive.count() == 10
