"""`ChannelStore` in the database: channels, their records and their events (CHN-27, CHN-30)."""

import json
import secrets
from collections.abc import Sequence
from typing import Any, Final, assert_never

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_delivery.core.channels.channel_types import (
    Delivered,
    DeliveryFailed,
    Event,
    HistoryLost,
    Received,
    SendFailed,
    Sent,
)
from logos_delivery.core.channels.errors import ChannelSealError, ChannelStateError
from logos_delivery.core.channels.journal import Records
from logos_delivery.core.channels.keeping import (
    ChannelEventFilter,
    ChannelEventKind,
    ChannelEventPage,
    ChannelHappening,
    Membership,
)
from logos_delivery.core.channels.sealing import NONCE_BYTES, STATE_DOMAIN, KeySealing
from logos_delivery.store import event_log
from logos_delivery.store.schema import ChannelEventRow, ChannelRecordRow, ChannelRow
from logos_module.database import Database, reading, table_of, writing

_CHUNK: Final = 500


class SqlChannels:
    """`ChannelStore`. One transaction a call."""

    def __init__(self, database: Database, state_key: bytes) -> None:
        """Takes the key that the keys of channels are encrypted with, 32 bytes (CHN-29)."""
        self.database = database
        self._state_key = state_key

    @writing
    async def add(self, session: AsyncSession, channel: Membership) -> None:
        row = {
            "channel_id": channel.channel_id.encode(),
            "content_topic": channel.content_topic.encode(),
            "sender_id": channel.sender_id.encode(),
            "key": self._sealed(channel),
            "has_parity": channel.has_parity,
            "created_ms": channel.created_ms,
        }
        await session.execute(insert(table_of(ChannelRow)), [row])

    @writing
    async def remove(self, session: AsyncSession, channel_id: str) -> None:
        raw = channel_id.encode()
        await session.execute(delete(ChannelRecordRow).where(ChannelRecordRow.channel_id == raw))
        await session.execute(delete(ChannelRow).where(ChannelRow.channel_id == raw))

    @reading
    async def channels(self, session: AsyncSession) -> Sequence[Membership]:
        rows = await session.scalars(select(ChannelRow).order_by(ChannelRow.channel_id))
        return [
            Membership(
                row.channel_id.decode(),
                row.content_topic.decode(),
                row.sender_id.decode(),
                self._unsealed(row),
                row.has_parity,
                row.created_ms,
            )
            for row in rows
        ]

    def _sealed(self, channel: Membership) -> bytes:
        if not channel.key:
            return b""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return self._sealing(channel.channel_id).encrypt(channel.key, nonce)

    def _unsealed(self, row: ChannelRow) -> bytes:
        channel_id = row.channel_id.decode()
        try:
            return self._sealing(channel_id).decrypt(row.key) if row.key else b""
        except ChannelSealError as error:
            raise ChannelStateError(
                f"the key of channel {channel_id!r} cannot be read: the node has another master"
                " key; bring back the one with which the channel was opened"
            ) from error

    def _sealing(self, channel_id: str) -> KeySealing:
        return KeySealing(self._state_key, channel_id, STATE_DOMAIN)

    @reading
    async def records(self, session: AsyncSession, channel_id: str) -> Records:
        query = select(ChannelRecordRow).where(ChannelRecordRow.channel_id == channel_id.encode())
        return {row.key.decode(): row.value for row in await session.scalars(query)}

    @writing
    async def commit(
        self,
        session: AsyncSession,
        channel_id: str,
        changes: dict[str, bytes | None],
        events: Sequence[Event],
        at_ms: int,
    ) -> None:
        raw = channel_id.encode()
        keys = [key.encode() for key in changes]
        for start in range(0, len(keys), _CHUNK):
            some = ChannelRecordRow.key.in_(keys[start : start + _CHUNK])
            own = ChannelRecordRow.channel_id == raw
            await session.execute(delete(ChannelRecordRow).where(own, some))
        rows = [
            {"channel_id": raw, "key": key.encode(), "value": value}
            for key, value in changes.items()
            if value is not None
        ]
        if rows:
            await session.execute(insert(table_of(ChannelRecordRow)), rows)
        if events:
            told = [_event_row(raw, event, at_ms) for event in events]
            await session.execute(insert(table_of(ChannelEventRow)), told)

    @reading
    async def events(
        self, session: AsyncSession, after: int, wanted: ChannelEventFilter
    ) -> ChannelEventPage:
        found = await event_log.page(
            session, ChannelEventRow, after, lambda row: _is_wanted(row, wanted)
        )
        happenings = [_happening(row) for row in found.rows]
        return ChannelEventPage(happenings, found.position, found.has_gap, found.is_last)

    @reading
    async def newest_position(self, session: AsyncSession) -> int:
        return await event_log.newest(session, ChannelEventRow)

    @writing
    async def trim(self, session: AsyncSession) -> None:
        await event_log.trim(session, ChannelEventRow)


def _is_wanted(row: ChannelEventRow, wanted: ChannelEventFilter) -> bool:
    if wanted.kinds and row.kind not in wanted.kinds:
        return False
    if wanted.request_ids and row.request_id not in wanted.request_ids:
        return False
    return not wanted.channel_ids or row.channel_id.decode() in wanted.channel_ids


def _event_row(channel_id: bytes, event: Event, at_ms: int) -> dict[str, Any]:
    row: dict[str, Any] = {"request_id": "", "sender_id": b"", "payload": b"", "text": ""}
    match event:
        case Received(sender=sender, payload=payload):
            kind = ChannelEventKind.RECEIVED
            row |= {"sender_id": sender.encode(), "payload": payload}
        case Sent(request_id=request_id):
            kind = ChannelEventKind.SENT
            row |= {"request_id": request_id}
        case Delivered(request_id=request_id):
            kind = ChannelEventKind.DELIVERED
            row |= {"request_id": request_id}
        case SendFailed(request_id=request_id, error=error):
            kind = ChannelEventKind.SEND_ERROR
            row |= {"request_id": request_id, "text": error}
        case DeliveryFailed(request_id=request_id, error=error):
            kind = ChannelEventKind.DELIVERY_ERROR
            row |= {"request_id": request_id, "text": error}
        case HistoryLost(message_ids=lost):
            kind = ChannelEventKind.HISTORY_LOST
            row |= {"payload": json.dumps(lost).encode()}
        case _:
            assert_never(event)
    size = len(row["payload"]) + len(row["sender_id"]) + len(row["text"]) + len(channel_id)
    own = {"kind": kind.value, "at_ms": at_ms, "channel_id": channel_id}
    return row | own | {"size_bytes": event_log.EVENT_BYTES + size}


def _happening(row: ChannelEventRow) -> ChannelHappening:
    kind = ChannelEventKind(row.kind)
    is_lost = kind is ChannelEventKind.HISTORY_LOST
    return ChannelHappening(
        row.position,
        kind,
        row.at_ms,
        row.channel_id.decode(),
        row.request_id,
        row.sender_id.decode(),
        b"" if is_lost else row.payload,
        row.text,
        tuple(json.loads(row.payload)) if is_lost else (),
    )
