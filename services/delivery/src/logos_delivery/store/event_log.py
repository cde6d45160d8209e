"""A log of events in a table: pages of it, and its limits (DEL-20, CHN-30)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_delivery.core.applications import (
    KEPT_EVENT_BYTES,
    KEPT_EVENTS,
    PAGE_BYTES,
    PAGE_EVENTS,
)
from logos_delivery.store.schema import ChannelEventRow, EventRow

EVENT_BYTES: Final = 200
"""What an event takes beside its own bytes."""
LOOKED_AT: Final = 2_000
"""Events that one page looks at, where most are not wanted."""
_READ: Final = 10
"""Events that are in memory beside those of the page."""

Row = TypeVar("Row", EventRow, ChannelEventRow)


@dataclass(frozen=True, slots=True)
class Rows(Generic[Row]):
    """A page."""

    rows: list[Row]
    position: int
    """Up to where was looked."""
    has_gap: bool


async def newest(session: AsyncSession, log: type[Row]) -> int:
    """Returns the position of the newest event; 0 if there was none yet."""
    return await session.scalar(select(func.max(log.position))) or 0


async def page(
    session: AsyncSession, log: type[Row], after: int, is_wanted: Callable[[Row], bool]
) -> Rows[Row]:
    """Returns wanted events after a position: one at least, if there is one near."""
    oldest = await session.scalar(select(func.min(log.position)))
    first = await newest(session, log) + 1 if oldest is None else oldest
    rows = await session.stream_scalars(
        select(log)
        .where(log.position > after)
        .order_by(log.position)
        .limit(LOOKED_AT)
        .execution_options(yield_per=_READ)
    )
    found: list[Row] = []
    size, position = 0, after
    async for row in rows:
        if is_wanted(row):
            size += row.size_bytes
            if found and size > PAGE_BYTES:
                break
            found.append(row)
        position = row.position
        if len(found) == PAGE_EVENTS:
            break
    return Rows(found, max(position, first - 1), has_gap=first > after + 1)


async def trim(session: AsyncSession, log: type[Row]) -> None:
    """Removes the oldest events over the limits."""
    totals = select(func.count(), func.coalesce(func.sum(log.size_bytes), 0)).select_from(log)
    count, size_bytes = (await session.execute(totals)).one()
    if count <= KEPT_EVENTS and size_bytes <= KEPT_EVENT_BYTES:
        return
    sizes = select(
        log.position,
        func.sum(log.size_bytes).over(order_by=log.position.desc()).label("total"),
        func.row_number().over(order_by=log.position.desc()).label("number"),
    ).subquery()
    over = (sizes.c.total > KEPT_EVENT_BYTES) | (sizes.c.number > KEPT_EVENTS)
    last = await session.scalar(select(func.max(sizes.c.position)).where(over))
    if last is not None:
        stays = await newest(session, log)  # or its number would be forgotten
        await session.execute(delete(log).where(log.position <= last, log.position < stays))
