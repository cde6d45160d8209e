"""Readers of a durable log of events, each of which keeps its own place (DEL-20, CHN-30)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from logos_delivery.core.errors import PositionUnknownError, TooManyWatchesError
from logos_delivery.operations.waiting import news_or_end

MAX_WATCHES: Final = 256


class LogPage(Protocol):
    """Events in order of their positions."""

    @property
    def events(self) -> Sequence[Any]:
        """The events."""
        ...

    @property
    def position(self) -> int:
        """Up to where was looked."""
        ...

    @property
    def has_gap(self) -> bool:
        """Whether events after the place that was asked for were removed."""
        ...

    @property
    def is_last(self) -> bool:
        """Whether no event stands after its position."""
        ...


Wanted = TypeVar("Wanted")
Page = TypeVar("Page", bound=LogPage)


class LogReaders(Generic[Wanted, Page]):
    """The readers of one log."""

    def __init__(
        self,
        newest_position: Callable[[], Awaitable[int]],
        events: Callable[[int, Wanted], Awaitable[Page]],
        stopping: asyncio.Event,
    ) -> None:
        """Takes how the log is read: where it ends, and a page after a position."""
        self._newest_position = newest_position
        self._events = events
        self._stopping = stopping
        self._watches = 0
        self.news = asyncio.Event()
        """Is set, and another in its place, when events are appended."""

    def told(self) -> None:
        """Events were appended: readers look again."""
        self.news.set()
        self.news = asyncio.Event()

    async def watch(self, after: int | None, wanted: Wanted) -> AsyncGenerator[Page, None]:
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

    async def _pages(self, after: int | None, wanted: Wanted) -> AsyncGenerator[Page, None]:
        newest = await self._newest_position()
        if after is not None and after > newest:
            raise PositionUnknownError(f"events have come to {newest} only")
        position, is_first = newest if after is None else after, True
        while True:
            news = self.news
            page = await self._events(position, wanted)
            if page.events or page.has_gap or is_first:
                yield page
            position, is_first = page.position, False
            if page.is_last:
                await news_or_end(news, self._stopping)
