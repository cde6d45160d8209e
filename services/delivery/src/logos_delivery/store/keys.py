"""Finds the keys of a page in the index whose order is that of the answer.

A query for content topics is as many runs through one index as there are pairs of a pubsub topic
and a content topic; each gives at most a page, and they are merged. Pubsub topics that are not
asked for are read from the index too: there are as many as this node has shards.

Only the index is read: the messages are a page each of the file, and a run gives up to a hundred
for each one that the page has.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    bindparam,
    literal,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from logos_delivery.core.archive.types import Position, Query
from logos_delivery.store.schema import MessageRow
from logos_module.database import table_of

RUNS: Final = 8
"""Through an index, in one statement; a power of two. To make a statement of many takes longer
than to execute several of few."""
_LAST_NS: Final = (1 << 63) - 1
_FIRST_NS: Final = -(1 << 63)


TABLE: Final = table_of(MessageRow)
_KEY: Final = (TABLE.c.timestamp_ns, TABLE.c.hash)


class Bounds(NamedTuple):
    """Positions between which a page lies, both excluded; None: no end."""

    after: Position | None
    before: Position | None

    def hold(self, position: Position) -> bool:
        """Returns whether a position is between them."""
        return (self.after is None or self.after < position) and (
            self.before is None or position < self.before
        )


class Shape(NamedTuple):
    """What statements have in common that differ in their values alone."""

    runs: int
    has_shard: bool
    has_topic: bool
    is_forward: bool
    has_after: bool
    has_before: bool


def is_after(position: Position) -> ColumnElement[bool]:
    """Returns the condition that a message stands after a position."""
    place: Any = _place()
    condition: ColumnElement[bool] = place > _literal(position)
    return condition


def is_before(position: Position) -> ColumnElement[bool]:
    """Returns the condition that a message stands before a position."""
    place: Any = _place()
    condition: ColumnElement[bool] = place < _literal(position)
    return condition


async def keys_of(session: AsyncSession, query: Query, behind: Position | None) -> list[Position]:
    """Returns where the messages of a page stand, and one more, in the order of reading.

    Args:
        session: The transaction.
        query: It has been checked.
        behind: Where the message of its cursor stands.
    """
    bounds = _bounds(query, behind)
    if query.hashes:
        found = await _by_hash(session, query, bounds)
    else:
        found = await _by_topic(session, query, bounds)
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


async def _by_hash(session: AsyncSession, query: Query, bounds: Bounds) -> list[Position]:
    wanted = select(*_KEY).where(TABLE.c.hash.in_(query.hashes))
    if query.pubsub_topic is not None:
        wanted = wanted.where(TABLE.c.pubsub_topic == query.pubsub_topic.encode())
    found = [Position(*row) for row in await session.execute(wanted)]
    return [each for each in found if bounds.hold(each)]


async def _by_topic(session: AsyncSession, query: Query, bounds: Bounds) -> list[Position]:
    shards: list[bytes | None] = [None]
    if query.pubsub_topic is not None:
        shards = [query.pubsub_topic.encode()]
    elif query.content_topics:
        shards = list(await _pubsub_topics(session))
    topics: list[bytes | None] = [one.encode() for one in dict.fromkeys(query.content_topics)]
    pairs = list(product(shards, topics or [None]))
    found: list[Position] = []
    while pairs:
        count = min(RUNS, 1 << len(pairs).bit_length() - 1)  # so there are few statements to make
        found += await _run(session, query, bounds, pairs[:count])
        del pairs[:count]
    return found


async def _run(
    session: AsyncSession,
    query: Query,
    bounds: Bounds,
    pairs: Sequence[tuple[bytes | None, bytes | None]],
) -> list[Position]:
    """Returns what one statement finds for pairs of a pubsub topic and a content topic."""
    values: dict[str, object] = {"count": query.page_size + 1}
    for number, (shard, topic) in enumerate(pairs):
        if shard is not None:
            values[f"shard{number}"] = shard
        if topic is not None:
            values[f"topic{number}"] = topic
    for name, end in (("after", bounds.after), ("before", bounds.before)):
        if end is not None:
            values |= {f"{name}_ns": end.timestamp_ns, f"{name}_hash": end.hash}
    statement = _statement(
        Shape(
            runs=len(pairs),
            has_shard=pairs[0][0] is not None,
            has_topic=pairs[0][1] is not None,
            is_forward=query.is_forward,
            has_after=bounds.after is not None,
            has_before=bounds.before is not None,
        )
    )
    return [Position(*row) for row in await session.execute(statement, values)]


@lru_cache(maxsize=512)
def _statement(shape: Shape) -> Any:
    """Returns a statement of a shape. To make one takes longer than to execute it."""
    runs = [_run_of(shape, number) for number in range(shape.runs)]
    if len(runs) == 1:
        return runs[0]
    merged = union_all(*(select(run.subquery()) for run in runs)).subquery()
    columns = (merged.c.timestamp_ns, merged.c.hash)
    return select(*columns).order_by(*_order(columns, shape)).limit(_count())


def _run_of(shape: Shape, number: int) -> Select[Any]:
    """Returns one run through the index that has the order of the answer."""
    run = select(*_KEY).order_by(*_order(_KEY, shape)).limit(_count())
    place: Any = _place()
    if shape.has_shard:
        run = run.where(TABLE.c.pubsub_topic == bindparam(f"shard{number}", type_=LargeBinary))
    if shape.has_topic:
        run = run.where(TABLE.c.content_topic == bindparam(f"topic{number}", type_=LargeBinary))
    if shape.has_after:
        run = run.where(place > _named("after"))
    if shape.has_before:
        run = run.where(place < _named("before"))
    return run


def _order(columns: Iterable[ColumnElement[Any]], shape: Shape) -> list[ColumnElement[Any]]:
    return [column.asc() if shape.is_forward else column.desc() for column in columns]


def _count() -> Any:
    return bindparam("count", type_=Integer)


def _named(name: str) -> Any:
    return tuple_(
        bindparam(f"{name}_ns", type_=BigInteger), bindparam(f"{name}_hash", type_=LargeBinary)
    )


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
