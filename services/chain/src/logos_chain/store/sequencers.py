"""`SequencerStore` in the database: checkpoints of sequencers, their payloads in rows of their own.

Spec: docs/protocol/chain-store.md, CHS-15, CHS-20; zone-sdk.md, ZON-12, ZON-22.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.ports import ChainStoreDamagedError
from logos_chain.core.zone_errors import SequencersFullError
from logos_chain.core.zone_ports import MAX_KEPT
from logos_chain.store.advice import Advice
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.schema import ZonePayloadRow, ZoneWriterRow
from logos_chain.store.seals import check_seal, seal_of
from logos_module.database import Database, reading, table_of, writing
from logos_zone_sdk.core.errors import CheckpointMalformedError
from logos_zone_sdk.core.places import Checkpoint, PendingPayload

WRITERS: Final = table_of(ZoneWriterRow)
PAYLOADS: Final = table_of(ZonePayloadRow)


class SqlSequencers:
    """`SequencerStore`. One transaction a call."""

    def __init__(self, database: Database, advice: Advice) -> None:
        """Takes an open database with the tables of `SCHEMA`."""
        self.database = database
        self._advice = advice

    async def load(self, channel: bytes, key: bytes) -> Checkpoint | None:
        """Returns the last checkpoint that was kept; None: there is none.

        Raises:
            ChainStoreDamagedError: It is not what was written.
        """
        row, rows = await self._rows(channel, key)
        with self._advice.given():
            if row is None:
                return None
            return replace(_checkpoint(row), pending=tuple([_payload(each) for each in rows]))

    async def publish(self, checkpoint: Checkpoint) -> None:
        """Keeps a checkpoint whose last payload is new.

        Where there is no room for another sequencer, the first of those gives way that have
        nothing to write.

        Raises:
            SequencersFullError: All have something to write.
        """
        await self._publish(checkpoint)

    async def settle(self, checkpoint: Checkpoint) -> None:
        """Keeps a checkpoint with fewer payloads, if there is one of its channel and key."""
        await self._settle(checkpoint)

    async def forget(self, channel: bytes, key: bytes) -> None:
        """Drops a checkpoint with its payloads; without effect if there is none (ZON-26)."""
        await self._forget(channel, key)

    @reading
    async def _rows(
        self, session: AsyncSession, channel: bytes, key: bytes
    ) -> tuple[Any, Sequence[Any]]:
        row = await session.execute(select(WRITERS).where(_is(WRITERS, channel, key)))
        wanted = select(PAYLOADS).where(_is(PAYLOADS, channel, key)).order_by(PAYLOADS.c.number)
        return row.one_or_none(), (await session.execute(wanted)).all()

    @writing
    async def _publish(self, session: AsyncSession, checkpoint: Checkpoint) -> None:
        channel, key, last = checkpoint.channel, checkpoint.key, checkpoint.pending[-1]
        if not await _update(session, checkpoint):
            number = await _room(session)
            row = {"channel": channel, "key": key, "number": number}
            await session.execute(insert(WRITERS).values(**row, **_columns(checkpoint)))
        number_ = u64(last.number)
        seal = seal_of(PAYLOADS.name, channel, key, number_, last.payload)
        row = {"channel": channel, "key": key, "number": number_, "seal": seal}
        await session.execute(insert(PAYLOADS).values(**row, payload=last.payload))

    @writing
    async def _settle(self, session: AsyncSession, checkpoint: Checkpoint) -> None:
        if await _update(session, checkpoint):
            kept = [u64(each.number) for each in checkpoint.pending]
            is_own = _is(PAYLOADS, checkpoint.channel, checkpoint.key)
            await session.execute(delete(PAYLOADS).where(is_own & PAYLOADS.c.number.not_in(kept)))

    @writing
    async def _forget(self, session: AsyncSession, channel: bytes, key: bytes) -> None:
        for each in (PAYLOADS, WRITERS):
            await session.execute(delete(each).where(_is(each, channel, key)))


async def _update(session: AsyncSession, checkpoint: Checkpoint) -> bool:
    is_own = _is(WRITERS, checkpoint.channel, checkpoint.key)
    if await session.scalar(select(WRITERS.c.number).where(is_own)) is None:
        return False
    await session.execute(update(WRITERS).where(is_own).values(**_columns(checkpoint)))
    return True


async def _room(session: AsyncSession) -> int:
    """Returns the number of a new sequencer, once there is room for it."""
    count, last = (
        await session.execute(select(func.count(), func.max(WRITERS.c.number)).select_from(WRITERS))
    ).one()
    if count >= MAX_KEPT:
        is_of = (PAYLOADS.c.channel == WRITERS.c.channel) & (PAYLOADS.c.key == WRITERS.c.key)
        is_idle = ~select(PAYLOADS.c.number).where(is_of).exists()
        first = await session.scalar(select(func.min(WRITERS.c.number)).where(is_idle))
        if first is None:
            raise SequencersFullError(f"{MAX_KEPT} sequencers have something to write")
        await session.execute(delete(WRITERS).where(WRITERS.c.number == first))
    return (last or 0) + 1


def _is(table: Table, channel: bytes, key: bytes) -> ColumnElement[bool]:
    return (table.c.channel == channel) & (table.c.key == key)


def _columns(checkpoint: Checkpoint) -> dict[str, bytes]:
    raw = replace(checkpoint, pending=()).encode()
    seal = seal_of(WRITERS.name, checkpoint.channel, checkpoint.key, raw)
    return {"checkpoint": raw, "seal": seal}


def _checkpoint(row: Any) -> Checkpoint:
    raw = whole(row.checkpoint)
    check_seal(row.seal, WRITERS.name, whole(row.channel), whole(row.key), raw)
    try:
        return Checkpoint.decode(raw)
    except CheckpointMalformedError as error:
        raise ChainStoreDamagedError("a checkpoint that does not decode") from error


def _payload(row: Any) -> PendingPayload:
    number, payload = whole(row.number), whole(row.payload)
    check_seal(row.seal, PAYLOADS.name, whole(row.channel), whole(row.key), number, payload)
    return PendingPayload(read_u64(number), payload)
