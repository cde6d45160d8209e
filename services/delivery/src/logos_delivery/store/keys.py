"""Finds the keys of a page in the index whose order is that of the answer.

A query for content topics is as many runs through one index as there are pairs of a pubsub topic
and a content topic; each gives at most a page, and they are merged. Pubsub topics that are not
asked for are read from the index too: there are as many as this node has shards.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    LargeBinary,
    Select,
    Table,
    literal,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from logos_delivery.core.archive.types import Position, Query
from logos_delivery.store.schema import MessageRow

RUNS: Final = 50
"""Through an index, in one statement."""
_LAST_NS: Final = (1 << 63) - 1
_FIRST_NS: Final = -(1 << 63)


def _table() -> Table:
    table = MessageRow.__table__
    if not isinstance(table, Table):
        raise TypeError("messages have no table")
    return table


TABLE: Final = _table()
_KEY: Final = (TABLE.c.timestamp_ns, TABLE.c.hash, TABLE.c.size_bytes)


class Key(NamedTuple):
    """A message, as an index has it."""

    timestamp_ns: int
    hash: bytes
    size_bytes: int

    @property
    def position(self) -> Position:
        """Where it stands."""
        return Position(self.timestamp_ns, self.hash)


class Bounds(NamedTuple):
    """Positions between which a page lies, both excluded; None: no end."""

    after: Position | None
    before: Position | None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as conditions of SQL: at most one a side, so that an index is entered there."""
        found = []
        if self.after is not None:
            found.append(is_after(self.after))
        if self.before is not None:
            found.append(is_before(self.before))
        return found

    def hold(self, position: Position) -> bool:
        """Returns whether a position is between them."""
        return (self.after is None or self.after < position) and (
            self.before is None or position < self.before
        )


def is_after(position: Position) -> ColumnElement[bool]:
    """Returns the condition that a message stands after a position."""
    condition: ColumnElement[bool] = _place() > _literal(position)
    return condition


def is_before(position: Position) -> ColumnElement[bool]:
    """Returns the condition that a message stands before a position."""
    condition: ColumnElement[bool] = _place() < _literal(position)
    return condition


async def keys_of(session: AsyncSession, query: Query, behind: Position | None) -> list[Key]:
    """Returns the keys of a page and one more, in the order in which the archive is read.

    Args:
        session: The transaction.
        query: It has been checked.
        behind: Where the message of its cursor stands.
    """
    bounds = _bounds(query, behind)
    if query.hashes:
        found = await _by_hash(session, query, bounds)
    elif query.content_topics or query.pubsub_topic is not None:
        found = await _by_topic(session, query, bounds)
    else:
        found = await _keys(session, [_run(query, bounds)])
    found.sort(reverse=not query.is_forward)
    return found[: query.page_size + 1]


def _bounds(query: Query, behind: Position | None) -> Bounds:
    after = before = None
    if query.start_ns is not None and query.start_ns > _FIRST_NS:
        after = Position(min(query.start_ns, _LAST_NS), b"")
    if query.end_ns is not None and query.end_ns < _LAST_NS:
        before = Position(max(query.end_ns, _FIRST_NS) + 1, b"")
    if behind is not None and query.is_forward:
        after = behind if after is None else max(after, behind)
    elif behind is not None:
        before = behind if before is None else min(before, behind)
    return Bounds(after, before)


async def _by_hash(session: AsyncSession, query: Query, bounds: Bounds) -> list[Key]:
    wanted = select(*_KEY).where(TABLE.c.hash.in_(query.hashes))
    if query.pubsub_topic is not None:
        wanted = wanted.where(TABLE.c.pubsub_topic == query.pubsub_topic.encode())
    return [key for key in await _keys(session, [wanted]) if bounds.hold(key.position)]


async def _by_topic(session: AsyncSession, query: Query, bounds: Bounds) -> list[Key]:
    content_topics = [one.encode() for one in dict.fromkeys(query.content_topics)]
    if query.pubsub_topic is None:
        pubsub_topics = await _pubsub_topics(session)
    else:
        pubsub_topics = [query.pubsub_topic.encode()]
    runs = [
        _run(query, bounds, *conditions)
        for pubsub_topic in pubsub_topics
        for conditions in _conditions(pubsub_topic, content_topics)
    ]
    found: list[Key] = []
    for start in range(0, len(runs), RUNS):
        found += await _keys(session, runs[start : start + RUNS])
    return found


def _conditions(
    pubsub_topic: bytes, content_topics: Sequence[bytes]
) -> Iterator[list[ColumnElement[bool]]]:
    is_of_shard = TABLE.c.pubsub_topic == pubsub_topic
    if not content_topics:
        yield [is_of_shard]
    for one in content_topics:
        yield [is_of_shard, TABLE.c.content_topic == one]


def _run(query: Query, bounds: Bounds, *conditions: ColumnElement[bool]) -> Select[Any]:
    order = [TABLE.c.timestamp_ns, TABLE.c.hash]
    if not query.is_forward:
        order = [column.desc() for column in order]
    wanted = select(*_KEY).where(*conditions, *bounds.conditions)
    return wanted.order_by(*order).limit(query.page_size + 1)


async def _keys(session: AsyncSession, runs: Sequence[Select[Any]]) -> list[Key]:
    if not runs:
        return []
    statement: Any = runs[0]
    if len(runs) > 1:
        statement = union_all(*(select(run.subquery()) for run in runs))
    return [Key(*row) for row in await session.execute(statement)]


async def _pubsub_topics(session: AsyncSession) -> list[bytes]:
    """Returns the pubsub topics of kept messages, by one step in the index for each."""
    column = TABLE.c.pubsub_topic
    least = select(column).order_by(column).limit(1)
    first = select(least.scalar_subquery().label("topic")).cte("topics", recursive=True)
    following = least.where(column > first.c.topic).scalar_subquery()
    steps = first.union_all(select(following).where(first.c.topic.is_not(None)))
    found = await session.scalars(select(steps.c.topic).where(steps.c.topic.is_not(None)))
    return list(found)


def _place() -> Any:
    return tuple_(TABLE.c.timestamp_ns, TABLE.c.hash)


def _literal(position: Position) -> Any:
    return tuple_(literal(position.timestamp_ns, BigInteger), literal(position.hash, LargeBinary))
