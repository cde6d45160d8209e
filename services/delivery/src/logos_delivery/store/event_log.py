"""A log of events in a table: pages of it, and its limits (DEL-20, CHN-30)."""

from collections.abc import Callable
from dataclasses import dataclass, field
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
_READ: Final = 20
"""Events that are read at a time, in memory beside those of the page."""

Row = TypeVar("Row", EventRow, ChannelEventRow)


@dataclass(slots=True)
class Rows(Generic[Row]):
    """A page, or as much of it as was read."""

    position: int
    """Up to where was looked."""
    rows: list[Row] = field(default_factory=list)
    has_gap: bool = False
    is_last: bool = False
    """Whether no event stands after its position."""
    size: int = 0

    def take(self, row: Row, *, is_wanted: bool) -> bool:
        """Looks at the next event; returns whether there is room for more."""
        if is_wanted:
            self.size += row.size_bytes
            if self.rows and self.size > PAGE_BYTES:
                return False
            self.rows.append(row)
        self.position = row.position
        return len(self.rows) < PAGE_EVENTS


async def newest(session: AsyncSession, log: type[Row]) -> int:
    """Returns the position of the newest event; 0 if there was none yet."""
    return await session.scalar(select(func.max(log.position))) or 0


async def page(
    session: AsyncSession, log: type[Row], after: int, is_wanted: Callable[[Row], bool]
) -> Rows[Row]:
    """Returns wanted events after a position: one at least, if there is one near."""
    oldest = select(func.min(log.position)).scalar_subquery()
    latest = select(func.max(log.position)).scalar_subquery()
    first, last = (await session.execute(select(oldest, latest))).one()
    found: Rows[Row] = Rows(after)
    if last is not None:
        found.has_gap = first > after + 1
        await _fill(session, log, found, is_wanted)
        found.position = max(found.position, first - 1)
    found.is_last = found.position >= (last or 0)
    return found


async def _fill(
    session: AsyncSession, log: type[Row], found: Rows[Row], is_wanted: Callable[[Row], bool]
) -> None:
    """Reads some events at a time: a cursor of the driver's takes its thread twice for each."""
    for _ in range(LOOKED_AT // _READ):
        after = found.position
        following = select(log).where(log.position > after).order_by(log.position).limit(_READ)
        rows = (await session.scalars(following)).all()
        if not all(found.take(row, is_wanted=is_wanted(row)) for row in rows):
            return
        if len(rows) < _READ:
            return
        session.expunge_all()  # those that are not wanted need not stay in memory


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
