"""`EventStore` over SQLAlchemy: the log of events, groups and dead letters (KER-35)."""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Index,
    LargeBinary,
    String,
    and_,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    true,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from logos_base.topics import ALL, module_of
from logos_kernel.core.events import (
    PAGE_BYTES,
    Commit,
    DeadLetter,
    Event,
    Group,
    KnownKey,
    NewEvent,
    Page,
    PastLog,
    Published,
    Removed,
    Segment,
)
from logos_kernel.store.tables import Base
from logos_module.database import Database, reading, table_of, writing


class EventRow(Base):
    """One event."""

    __tablename__ = "event"
    __table_args__ = (Index("event_of_topic", "topic", "sequence", unique=True),)

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    topic: Mapped[str] = mapped_column(String(129))
    sequence: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(BigInteger)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[str]
    size: Mapped[int]


class RemovedRow(Base):
    """Up to where events of a topic are removed."""

    __tablename__ = "event_removed"

    topic: Mapped[str] = mapped_column(String(129), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)


class KeyRow(Base):
    """A batch that was published with a key."""

    __tablename__ = "event_key"

    publisher: Mapped[str] = mapped_column(String(64), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    topic: Mapped[str] = mapped_column(String(129))
    first: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int] = mapped_column(BigInteger)


class GroupRow(Base):
    """A queue group."""

    __tablename__ = "event_group"

    name: Mapped[str] = mapped_column(String(129), primary_key=True)
    topics: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger)
    used_at_ms: Mapped[int] = mapped_column(BigInteger)


class DeadLetterRow(Base):
    """An event that a group could not deal with."""

    __tablename__ = "dead_letter"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    group_name: Mapped[str] = mapped_column(String(129))
    refusals: Mapped[int]
    position: Mapped[int] = mapped_column(BigInteger)
    topic: Mapped[str] = mapped_column(String(129))
    sequence: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(BigInteger)
    at_ms: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[str]


class SqlEventStore:
    """One transaction per call.

    Args:
        database: The kernel's.
        check: Raises `StateLockedError` if another kernel has begun on it.
    """

    def __init__(
        self, database: Database, check: Callable[[AsyncSession], Awaitable[None]]
    ) -> None:
        self.database = database
        self._check = check

    @reading
    async def load(self, session: AsyncSession, segment: int) -> PastLog:
        """Returns what is stored of the log, with segments of so many sequences."""
        number = (EventRow.sequence - EventRow.sequence % segment) / segment
        grouped = (
            select(
                EventRow.topic,
                func.min(EventRow.sequence),
                func.max(EventRow.sequence),
                func.max(EventRow.position),
                func.sum(EventRow.size),
            )
            .group_by(EventRow.topic, number)
            .order_by(EventRow.topic, func.min(EventRow.sequence))
        )
        segments = tuple(
            (topic, Segment(first // segment, first, last, position, int(size)))
            for topic, first, last, position, size in await session.execute(grouped)
        )
        removed = await session.scalars(select(RemovedRow).order_by(RemovedRow.topic))
        keys = await session.scalars(select(KeyRow).order_by(KeyRow.position))
        return PastLog(segments, tuple(map(_to_removed, removed)), tuple(map(_to_key, keys)))

    @writing
    async def append(self, session: AsyncSession, commit: Commit) -> None:
        """Writes events and their keys, and removes what the commit says."""
        await self._check(session)
        await session.execute(insert(table_of(EventRow)), [_row(one) for one in commit.events])
        if commit.keys:
            await session.execute(insert(table_of(KeyRow)), [_key_row(one) for one in commit.keys])
        for one in commit.removed:
            is_old = and_(EventRow.topic == one.topic, EventRow.sequence <= one.sequence)
            await session.execute(delete(EventRow).where(is_old))
            row = RemovedRow(topic=one.topic, sequence=one.sequence, position=one.position)
            await session.merge(row)
        for keys in commit.forgotten:
            is_old = or_(KeyRow.epoch < keys.epoch, KeyRow.position <= keys.position)
            await session.execute(delete(KeyRow).where(KeyRow.publisher == keys.publisher, is_old))

    @reading
    async def read(
        self, session: AsyncSession, topics: Sequence[str], after: int, limit: int
    ) -> Page:
        """Returns up to `limit` events after a position, and 256 KiB or one at least.

        Args:
            session: The transaction.
            topics: Topics and patterns of them.
            after: A position.
            limit: Of events.
        """
        is_wanted = and_(EventRow.position > after, _matches(EventRow.topic, topics))
        events, end = await _page(session, is_wanted, EventRow.position, limit)
        newest = await session.scalar(select(func.max(EventRow.position)))
        gone = select(RemovedRow).where(
            RemovedRow.position > after, _matches(RemovedRow.topic, topics)
        )
        removed = tuple(map(_to_removed, await session.scalars(gone.order_by(RemovedRow.topic))))
        behind = max([after, newest or 0, *(one.position for one in removed)])
        return Page(events, events[-1].position if end else behind, removed)

    @reading
    async def read_topic(
        self, session: AsyncSession, topic: str, first: int, last: int
    ) -> tuple[Event, ...]:
        """Returns the kept events of a topic from one sequence to another; not all, if many."""
        is_wanted = and_(EventRow.topic == topic, EventRow.sequence.between(first, last))
        events, _ = await _page(session, is_wanted, EventRow.sequence, last - first + 1)
        return events

    @reading
    async def position_before(
        self, session: AsyncSession, *, at_ms: int = 0, topic: str = "", sequence: int = 0
    ) -> int | None:
        """Returns the position before the first event of a time, or sequence; None if none."""
        is_so = EventRow.at_ms >= at_ms
        if topic:
            is_so = and_(EventRow.topic == topic, EventRow.sequence >= sequence)
        first = await session.scalar(select(func.min(EventRow.position)).where(is_so))
        return None if first is None else first - 1

    @reading
    async def load_groups(self, session: AsyncSession) -> list[Group]:
        """Returns all groups, by name."""
        rows = await session.scalars(select(GroupRow).order_by(GroupRow.name))
        return [
            Group(row.name, tuple(row.topics.split()), row.position, row.used_at_ms) for row in rows
        ]

    @writing
    async def save_group(
        self, session: AsyncSession, group: Group, letters: Sequence[DeadLetter] = ()
    ) -> None:
        """Stores a group in place of that of its name, and adds dead letters."""
        await self._check(session)
        row = GroupRow(
            name=group.name,
            topics=" ".join(group.topics),
            position=group.position,
            used_at_ms=group.used_at_ms,
        )
        await session.merge(row)
        session.add_all(map(_letter_row, letters))

    @writing
    async def delete_group(self, session: AsyncSession, name: str) -> None:
        """Removes a group, if there is one, and its dead letters."""
        await self._check(session)
        await session.execute(delete(GroupRow).where(GroupRow.name == name))
        await session.execute(delete(DeadLetterRow).where(DeadLetterRow.group_name == name))

    @reading
    async def letter_index(self, session: AsyncSession) -> list[tuple[int, str]]:
        """Returns the ids of all dead letters, oldest first, and their groups."""
        columns = select(DeadLetterRow.id, DeadLetterRow.group_name).order_by(DeadLetterRow.id)
        return [(id_, group) for id_, group in await session.execute(columns)]

    @reading
    async def load_letter(self, session: AsyncSession, id_: int) -> DeadLetter | None:
        """Returns a dead letter; None if there is none."""
        row = await session.get(DeadLetterRow, id_)
        if row is None:
            return None
        return DeadLetter(row.id, row.group_name, _to_event(row), row.refusals)

    @writing
    async def delete_letters(self, session: AsyncSession, ids: Sequence[int]) -> None:
        """Removes dead letters."""
        await self._check(session)
        await session.execute(delete(DeadLetterRow).where(DeadLetterRow.id.in_(ids)))


async def _page(
    session: AsyncSession, is_wanted: ColumnElement[bool], order: Any, limit: int
) -> tuple[tuple[Event, ...], bool]:
    """Returns events up to the limits of a page, and whether there may be more."""
    sizes = select(order, EventRow.size).where(is_wanted).order_by(order).limit(limit)
    rows = (await session.execute(sizes)).all()
    taken, total = 0, 0
    for _, size in rows:
        total += size
        if taken and total > PAGE_BYTES:
            break
        taken += 1
    if not taken:
        return (), False
    page = select(EventRow).where(is_wanted, order <= rows[taken - 1][0]).order_by(order)
    events = tuple(map(_to_event, await session.scalars(page)))
    return events, taken < len(rows) or len(rows) == limit


def _matches(column: Any, patterns: Iterable[str]) -> ColumnElement[bool]:
    patterns = list(patterns)
    if ALL in patterns:
        return true()
    whole = [module_of(one) for one in patterns if one.endswith(f"/{ALL}")]
    exact = [one for one in patterns if not one.endswith(f"/{ALL}")]
    of_modules = (column.startswith(f"{name}/", autoescape=True) for name in whole)
    return or_(false(), column.in_(exact), *of_modules)


def _row(event: Event) -> dict[str, object]:
    return {**_columns(event), "size": event.said.size}


def _columns(event: Event) -> dict[str, object]:
    return {
        "position": event.position,
        "topic": event.topic,
        "sequence": event.sequence,
        "epoch": event.epoch,
        "at_ms": event.at_ms,
        "payload": event.said.payload,
        "headers": json.dumps(dict(event.said.headers)) if event.said.headers else "",
    }


def _to_event(row: EventRow | DeadLetterRow) -> Event:
    headers = tuple(json.loads(row.headers).items()) if row.headers else ()
    said = NewEvent(row.payload, headers)
    return Event(row.position, row.topic, row.sequence, row.epoch, row.at_ms, said)


def _letter_row(letter: DeadLetter) -> DeadLetterRow:
    return DeadLetterRow(
        id=letter.id,
        group_name=letter.group,
        refusals=letter.refusals,
        **_columns(letter.event),
    )


def _key_row(one: KnownKey) -> dict[str, object]:
    where = one.published
    return {
        "publisher": one.publisher,
        "epoch": one.epoch,
        "key": one.key,
        "topic": one.topic,
        "first": where.first,
        "last": where.last,
        "position": where.position,
    }


def _to_key(row: KeyRow) -> KnownKey:
    where = Published(row.first, row.last, row.position)
    return KnownKey(row.publisher, row.epoch, row.key, row.topic, where)


def _to_removed(row: RemovedRow) -> Removed:
    return Removed(row.topic, row.sequence, row.position)
