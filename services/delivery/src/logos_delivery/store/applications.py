"""`Applications` in the database: events, requests, subscriptions and notes (DEL-20 to DEL-23)."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from logos_delivery.core.applications import (
    KEPT_REQUEST_MS,
    RECEIVED,
    Asked,
    EventFilter,
    EventPage,
    Happening,
    Received,
    Saved,
)
from logos_delivery.core.message import decode, encode
from logos_delivery.core.sending.request import Event, Request, RequestState
from logos_delivery.store import event_log
from logos_delivery.store.schema import EventRow, NoteRow, RequestRow, SubscriptionRow
from logos_module.database import Database, reading, table_of, writing

_EVENTS: Final = table_of(EventRow)
_REQUESTS: Final = table_of(RequestRow)
_CHANGE_REQUEST: Final = update(_REQUESTS).where(_REQUESTS.c.request_id == bindparam("of"))


class SqlApplications:
    """`Applications`. One transaction a call."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # -- events --------------------------------------------------------------------------------

    @writing
    async def receive(
        self, session: AsyncSession, messages: Sequence[Received], at_ms: int
    ) -> None:
        await session.execute(insert(_EVENTS), [_received(one, at_ms) for one in messages])

    @writing
    async def save(self, session: AsyncSession, saves: Sequence[Saved], at_ms: int) -> None:
        rows = {one.request.request_id: _request_values(one.request) for one in saves}
        keys = {one.request.request_id: one.asked for one in saves if one.asked is not None}
        id_ = _REQUESTS.c.request_id
        known = set(await session.scalars(select(id_).where(id_.in_(rows))))
        if changed := [{"of": name, **rows[name]} for name in known]:
            await session.execute(_CHANGE_REQUEST, changed)
        if new := [_new(name, rows[name], keys.get(name)) for name in rows if name not in known]:
            await session.execute(insert(_REQUESTS), new)
        if told := [_told(one.event, one.request, at_ms) for one in saves if one.event]:
            await session.execute(insert(_EVENTS), told)

    @writing
    async def tell(self, session: AsyncSession, kind: str, text: str, at_ms: int) -> None:
        await session.execute(insert(_EVENTS), [_event(kind, at_ms, text=text)])

    @reading
    async def events(self, session: AsyncSession, after: int, wanted: EventFilter) -> EventPage:
        found = await event_log.page(session, EventRow, after, lambda row: _is_wanted(row, wanted))
        happenings = [_happening(row) for row in found.rows]
        return EventPage(happenings, found.position, found.has_gap, found.is_last)

    @reading
    async def newest_position(self, session: AsyncSession) -> int:
        return await event_log.newest(session, EventRow)

    @reading
    async def newest_hashes(self, session: AsyncSession, limit: int) -> Sequence[bytes]:
        query = select(EventRow.hash).where(EventRow.kind == RECEIVED)
        newest = query.order_by(EventRow.position.desc()).limit(limit)
        return [*reversed((await session.scalars(newest)).all())]

    # -- requests ------------------------------------------------------------------------------

    @reading
    async def request(self, session: AsyncSession, request_id: str) -> Request | None:
        row = await session.get(RequestRow, request_id)
        return None if row is None else _request(row)

    @reading
    async def request_of(self, session: AsyncSession, key: str) -> tuple[Request, bytes] | None:
        row = await session.scalar(select(RequestRow).where(RequestRow.key == key))
        return None if row is None else (_request(row), row.asked)

    @reading
    async def pending(self, session: AsyncSession) -> Sequence[Request]:
        query = select(RequestRow).where(RequestRow.ended_ms.is_(None))
        rows = await session.scalars(query.order_by(RequestRow.accepted_ms))
        return [_request(row) for row in rows]

    # -- subscriptions and notes ---------------------------------------------------------------

    @writing
    async def subscribe(self, session: AsyncSession, topics: Collection[tuple[str, str]]) -> None:
        for content_topic, pubsub_topic in topics:
            await session.merge(
                SubscriptionRow(
                    content_topic=content_topic.encode(), pubsub_topic=pubsub_topic.encode()
                )
            )

    @writing
    async def unsubscribe(self, session: AsyncSession, content_topics: Collection[str]) -> None:
        raw = [topic.encode() for topic in content_topics]
        await session.execute(delete(SubscriptionRow).where(SubscriptionRow.content_topic.in_(raw)))

    @reading
    async def subscriptions(self, session: AsyncSession) -> Sequence[tuple[str, str]]:
        rows = await session.scalars(select(SubscriptionRow))
        return sorted((row.content_topic.decode(), row.pubsub_topic.decode()) for row in rows)

    @writing
    async def note(self, session: AsyncSession, name: str, value: int) -> None:
        await session.merge(NoteRow(name=name, value=value))

    @reading
    async def noted(self, session: AsyncSession, name: str) -> int | None:
        row = await session.get(NoteRow, name)
        return None if row is None else row.value

    # -- limits --------------------------------------------------------------------------------

    @writing
    async def trim(self, session: AsyncSession, now_ms: int) -> None:
        ended = RequestRow.ended_ms < now_ms - KEPT_REQUEST_MS
        await session.execute(delete(RequestRow).where(ended))
        await event_log.trim(session, EventRow)


def _is_wanted(row: EventRow, wanted: EventFilter) -> bool:
    if wanted.kinds and row.kind not in wanted.kinds:
        return False
    if wanted.request_ids and row.request_id not in wanted.request_ids:
        return False
    return not wanted.content_topics or row.content_topic.decode() in wanted.content_topics


def _event(kind: str, at_ms: int, **changes: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("hash", "pubsub_topic", "content_topic", "message"), b"")
    row = {"kind": kind, "at_ms": at_ms, "request_id": "", "text": "", **empty, **changes}
    size = sum(len(row[name]) for name in ("pubsub_topic", "content_topic", "message", "text"))
    return row | {"size_bytes": event_log.EVENT_BYTES + size}


def _received(one: Received, at_ms: int) -> dict[str, Any]:
    return _event(
        RECEIVED,
        at_ms,
        hash=one.message_hash,
        pubsub_topic=one.pubsub_topic.encode(),
        content_topic=one.message.content_topic.encode(),
        message=encode(one.message),
    )


def _told(event: Event, request: Request, at_ms: int) -> dict[str, Any]:
    return _event(
        event.kind.value,
        at_ms,
        request_id=event.request_id,
        hash=event.message_hash,
        pubsub_topic=request.pubsub_topic.encode(),
        content_topic=event.content_topic.encode(),
        text=event.error,
    )


def _happening(row: EventRow) -> Happening:
    return Happening(
        row.position,
        row.kind,
        row.at_ms,
        row.request_id,
        row.hash,
        row.pubsub_topic.decode(),
        row.content_topic.decode(),
        decode(row.message) if row.message else None,
        row.text,
    )


def _new(request_id: str, values: dict[str, Any], asked: Asked | None) -> dict[str, Any]:
    key, digest = (None, b"") if asked is None else (asked.key, asked.digest)
    return {"request_id": request_id, "key": key, "asked": digest, **values}


def _request_values(request: Request) -> dict[str, Any]:
    return {
        "pubsub_topic": request.pubsub_topic.encode(),
        "message": encode(request.message),
        "hash": request.message_hash,
        "via_mix": request.via_mix,
        "state": request.state.value,
        "attempts": request.attempts,
        "accepted_ms": request.accepted_ms,
        "propagated_ms": request.propagated_ms,
        "ended_ms": request.ended_ms,
        "error": request.error,
    }


def _request(row: RequestRow) -> Request:
    return Request(
        row.request_id,
        row.pubsub_topic.decode(),
        decode(row.message),
        row.hash,
        row.via_mix,
        row.accepted_ms,
        RequestState(row.state),
        row.attempts,
        row.propagated_ms,
        row.ended_ms,
        row.error,
    )
