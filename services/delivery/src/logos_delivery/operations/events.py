"""The events of this node, for readers that keep their own place (DEL-20)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.applications import Applications, EventFilter, EventPage
from logos_delivery.operations.log_readers import LogReaders

log = logging.getLogger(__name__)

TRIM_S: Final = 60.0


class EventOperations:
    """Readers of the log of events."""

    def __init__(
        self, applications: Applications, unix_ms: Callable[[], int], stopping: asyncio.Event
    ) -> None:
        self._applications = applications
        self._unix_ms = unix_ms
        self._readers: LogReaders[EventFilter, EventPage] = LogReaders(
            applications.newest_position, applications.events, stopping
        )

    @property
    def news(self) -> asyncio.Event:
        """Is set when the next events are appended."""
        return self._readers.news

    def told(self) -> None:
        """Events were appended: readers look again."""
        self._readers.told()

    async def tell(self, kind: str, text: str) -> None:
        """Appends an event of the node itself; one that cannot be stored is left out."""
        try:
            await self._applications.tell(kind, text, self._unix_ms())
        except LogosError as error:
            log.warning("an event was not stored", extra={"error": str(error)})
            return
        self.told()

    def watch(self, after: int | None, wanted: EventFilter) -> AsyncGenerator[EventPage, None]:
        """Yields pages of events after a position (None: from now on), as `LogReaders.watch`."""
        return self._readers.watch(after, wanted)

    async def trim(self) -> None:
        """Removes what is over the limits, until cancelled."""
        while True:
            await asyncio.sleep(TRIM_S)
            try:
                await self._applications.trim(self._unix_ms())
            except LogosError as error:
                log.warning("events were not trimmed", extra={"error": str(error)})
