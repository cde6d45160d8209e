"""`Archive` over SQLAlchemy: SQLite or PostgreSQL, by the same statements.

A page is found in two steps: first the keys, in an index whose order is that of the answer, then
the messages themselves, as many as a page may have bytes. So the work for a page does not grow
with what is kept, whatever is asked for.

Spec: docs/protocol/delivery-store.md, DST-13 to DST-15.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, delete, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from logos_delivery.core.archive.errors import StoreCursorUnknownError
from logos_delivery.core.archive.types import Entry, Page, Position, Query, cut, page_of
from logos_delivery.core.message import Message
from logos_delivery.store.grouped import Grouped
from logos_delivery.store.keys import TABLE, is_after, is_before, keys_of
from logos_module.database import Database, reading, writing

VACUUM_PAGES: Final = 256
"""Given back to the disk in one transaction: 1 MiB."""
_CHUNK: Final = 500
_INSERTS: Final[dict[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_NEWEST: Final = (TABLE.c.timestamp_ns.desc(), TABLE.c.hash.desc())


class SqlArchive:
    """One transaction a call, but for puts: those that wait are written together."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._grouped = Grouped(self._commit)

    async def put(self, entries: Sequence[Entry]) -> int:
        """Keeps messages; returns how many are new."""
        return await self._grouped.put(entries)

    @writing
    async def _commit(self, session: AsyncSession, entries: list[Entry]) -> set[bytes]:
        if not entries:
            return set()
        dialect = await _each_statement_on_its_own(session)
        # In one order everywhere: nodes that share a server do not wait for each other in turn.
        rows = [_row(entry) for entry in sorted(entries, key=lambda entry: entry.hash)]
        statement = _INSERTS[dialect](TABLE).on_conflict_do_nothing().returning(TABLE.c.hash)
        return set(await session.scalars(statement, rows))

    @reading
    async def query(self, session: AsyncSession, query: Query) -> Page:
        """Returns a page."""
        query.check()
        behind = None if query.cursor is None else await _place(session, query.cursor)
        places = await keys_of(session, query, behind)
        limit, is_forward = query.page_size, query.is_forward
        if not query.include_data:
            entries = [Entry(place.hash) for place in places]
            return page_of(entries, limit, is_forward=is_forward)
        taken = places[: min(cut(await _sizes(session, places)), limit)]
        entries = await _entries(session, taken)
        return page_of(entries, limit, is_forward=is_forward, is_cut=len(taken) < len(places))

    @reading
    async def present(self, session: AsyncSession, hashes: Sequence[bytes]) -> frozenset[bytes]:
        """Returns which of these messages are kept."""
        found: set[bytes] = set()
        for some in _chunks(hashes):
            found.update(await session.scalars(select(TABLE.c.hash).where(TABLE.c.hash.in_(some))))
        return frozenset(found)

    @reading
    async def positions(
        self, session: AsyncSession, after: Position, limit: int
    ) -> list[tuple[Position, str, str]]:
        """Returns messages after a position, oldest first, with pubsub and content topic."""
        columns = (TABLE.c.timestamp_ns, TABLE.c.hash, TABLE.c.pubsub_topic, TABLE.c.content_topic)
        oldest = (TABLE.c.timestamp_ns, TABLE.c.hash)
        rows = select(*columns).where(is_after(after)).order_by(*oldest).limit(limit)
        return [
            (Position(time_ns, hash_), pubsub_topic.decode(), content_topic.decode())
            for time_ns, hash_, pubsub_topic, content_topic in await session.execute(rows)
        ]

    @reading
    async def count(self, session: AsyncSession) -> int:
        """Returns how many messages are kept."""
        return await session.scalar(select(func.count()).select_from(TABLE)) or 0

    @reading
    async def size_bytes(self, session: AsyncSession) -> int:
        """Returns what they take on disk."""
        return await _size(session)

    @reading
    async def oldest_ns(self, session: AsyncSession) -> int | None:
        """Returns the timestamp of the oldest message."""
        found: int | None = await session.scalar(select(func.min(TABLE.c.timestamp_ns)))
        return found

    @reading
    async def newest_ns(self, session: AsyncSession) -> int | None:
        """Returns the timestamp of the newest message."""
        found: int | None = await session.scalar(select(func.max(TABLE.c.timestamp_ns)))
        return found

    @reading
    async def first_of_newest(self, session: AsyncSession, count: int) -> Position | None:
        """Returns where the newest so many messages begin."""
        return await _first_of_newest(session, count)

    @reading
    async def first_of_newest_bytes(
        self, session: AsyncSession, size_bytes: int
    ) -> Position | None:
        """Returns where the newest messages begin that take no more than so many bytes."""
        if await _size(session) <= size_bytes:
            return None
        total = func.sum(TABLE.c.size_bytes).over(order_by=_NEWEST, rows=(None, 0))
        summed = select(TABLE.c.timestamp_ns, TABLE.c.hash, total.label("total")).subquery()
        first = (
            select(summed.c.timestamp_ns, summed.c.hash)
            .where(summed.c.total <= size_bytes)
            .order_by(summed.c.timestamp_ns, summed.c.hash)
            .limit(1)
        )
        row = (await session.execute(first)).first()
        if row is not None:
            return Position(*row)
        newest = select(TABLE.c.timestamp_ns, TABLE.c.hash).order_by(*_NEWEST).limit(1)
        return Position(*(await session.execute(newest)).one())

    @writing
    async def delete_before(self, session: AsyncSession, position: Position, limit: int) -> int:
        """Deletes the oldest messages before a position."""
        await _each_statement_on_its_own(session)
        oldest = (
            select(TABLE.c.hash)
            .where(is_before(position))
            .order_by(TABLE.c.timestamp_ns, TABLE.c.hash)
            .limit(limit)
            .with_for_update(skip_locked=True)  # another node deletes those
        )
        done: Any = await session.execute(delete(TABLE).where(TABLE.c.hash.in_(oldest)))
        return int(done.rowcount)

    @writing
    async def reclaim(self, session: AsyncSession) -> bool:
        """Gives a MiB of an SQLite file back; a server uses its room again by itself."""
        if session.get_bind().dialect.name != "sqlite":
            return False
        await session.run_sync(_vacuum)
        return bool(await session.scalar(text("PRAGMA freelist_count")))


def _vacuum(session: Session) -> None:
    driver: Any = session.connection().connection.driver_connection
    driver.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()  # a page each


async def _each_statement_on_its_own(session: AsyncSession) -> str:
    """Has each statement see what other nodes have committed; returns the dialect.

    On one snapshot a server refuses to pass over a message that another node has just put.
    """
    dialect = session.get_bind().dialect.name
    if dialect == "postgresql":
        await session.connection(execution_options={"isolation_level": "READ COMMITTED"})
    return dialect


async def _place(session: AsyncSession, hash_: bytes) -> Position:
    found = await session.scalar(select(TABLE.c.timestamp_ns).where(TABLE.c.hash == hash_))
    if found is None:
        raise StoreCursorUnknownError("cursor not found")
    return Position(found, hash_)


async def _size(session: AsyncSession) -> int:
    return int(await session.scalar(select(func.sum(TABLE.c.size_bytes))) or 0)


async def _first_of_newest(session: AsyncSession, count: int) -> Position | None:
    two: Select[Any] = (
        select(TABLE.c.timestamp_ns, TABLE.c.hash).order_by(*_NEWEST).offset(count - 1).limit(2)
    )
    rows = (await session.execute(two)).all()
    return Position(*rows[0]) if len(rows) == 2 else None


async def _sizes(session: AsyncSession, places: Sequence[Position]) -> list[int]:
    """Returns how many bytes each of these messages takes."""
    rows = select(TABLE.c.hash, TABLE.c.size_bytes).where(_is_of(places))
    by_hash = {row.hash: row.size_bytes for row in await session.execute(rows)}
    return [by_hash[place.hash] for place in places]


async def _entries(session: AsyncSession, places: Sequence[Position]) -> list[Entry]:
    """Returns these messages, in this order."""
    rows = await session.execute(select(TABLE).where(_is_of(places)))
    by_hash = {row.hash: _entry(row) for row in rows}
    return [by_hash[place.hash] for place in places]


def _is_of(places: Sequence[Position]) -> ColumnElement[bool]:
    return TABLE.c.hash.in_([place.hash for place in places])


def _row(entry: Entry) -> dict[str, object]:
    message = entry.kept
    return {
        "hash": entry.hash,
        "timestamp_ns": message.timestamp_ns,
        "size_bytes": entry.size_bytes,
        "version": message.version,
        "pubsub_topic": entry.pubsub_topic.encode(),
        "content_topic": message.content_topic.encode(),
        "meta": message.meta,
        "proof": message.proof,
        "payload": message.payload,
    }


def _entry(row: Any) -> Entry:
    message = Message(
        payload=row.payload,
        content_topic=row.content_topic.decode(),
        version=row.version,
        timestamp_ns=row.timestamp_ns,
        meta=row.meta,
        proof=row.proof,
    )
    return Entry(row.hash, row.pubsub_topic.decode(), message)


def _chunks(hashes: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (hashes[start : start + _CHUNK] for start in range(0, len(hashes), _CHUNK))
