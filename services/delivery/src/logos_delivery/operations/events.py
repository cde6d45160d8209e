"""The events of this node, for readers that keep their own place (DEL-20)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.applications import Applications, EventFilter, EventPage
from logos_delivery.core.errors import PositionUnknownError, TooManyWatchesError
from logos_module.errors import ModuleDrainingError

log = logging.getLogger(__name__)

MAX_WATCHES: Final = 256
TRIM_S: Final = 60.0


class EventOperations:
    """Readers of the log of events."""

    def __init__(
        self, applications: Applications, unix_ms: Callable[[], int], stopping: asyncio.Event
    ) -> None:
        self._applications = applications
        self._unix_ms = unix_ms
        self._stopping = stopping
        self._news = asyncio.Event()
        self._watches = 0

    def told(self) -> None:
        """Events were appended: readers look again."""
        self._news.set()
        self._news = asyncio.Event()

    async def tell(self, kind: str, text: str) -> None:
        """Appends an event of the node itself; one that cannot be stored is left out."""
        try:
            await self._applications.tell(kind, text, self._unix_ms())
        except LogosError as error:
            log.warning("an event was not stored", extra={"error": str(error)})
            return
        self.told()

    async def watch(
        self, after: int | None, wanted: EventFilter
    ) -> AsyncGenerator[EventPage, None]:
        """Yields pages of events after a position (None: from now on), and waits for more.

        The first page comes at once, also where it is empty: it says where the stream begins.

        Raises:
            PositionUnknownError, TooManyWatchesError, StoreFailedError
        """
        if self._watches >= MAX_WATCHES:
            raise TooManyWatchesError(f"{MAX_WATCHES} streams of events are read")
        self._watches += 1
        try:
            async for page in self._pages(after, wanted):
                yield page
        finally:
            self._watches -= 1

    async def _pages(
        self, after: int | None, wanted: EventFilter
    ) -> AsyncGenerator[EventPage, None]:
        newest = await self._applications.newest_position()
        if after is not None and after > newest:
            raise PositionUnknownError(f"events have come to {newest} only")
        position, is_first = newest if after is None else after, True
        while True:
            news = self._news
            page = await self._applications.events(position, wanted)
            if page.events or page.has_gap or is_first:
                yield page
            is_further = page.position > position
            position, is_first = page.position, False
            if not is_further:
                await self._until(news)

    async def _until(self, news: asyncio.Event) -> None:
        """Waits for news; raises ModuleDrainingError when the module is to stop."""
        async with asyncio.TaskGroup() as tasks:
            waits = [tasks.create_task(one.wait()) for one in (news, self._stopping)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for one in waits:
                one.cancel()
        if self._stopping.is_set():
            raise ModuleDrainingError("delivery is about to stop")

    async def trim(self) -> None:
        """Removes what is over the limits, until cancelled."""
        while True:
            await asyncio.sleep(TRIM_S)
            try:
                await self._applications.trim(self._unix_ms())
            except LogosError as error:
                log.warning("events were not trimmed", extra={"error": str(error)})
