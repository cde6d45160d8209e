"""Lets readers wait for what a machine keeps for them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from logos_module.errors import ModuleDrainingError

Item = TypeVar("Item")
Key = TypeVar("Key")


class Inbox(Generic[Item]):
    """What waits for one reader. The core keeps it, and bounds it."""

    def __init__(self, take: Callable[[], Item | None]) -> None:
        self._take = take
        self._news = asyncio.Event()
        self._end: Exception | None = None

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        while (item := self._take()) is None:
            if self._end is not None:
                raise self._end
            self._news.clear()
            await self._news.wait()
        return item

    def wake(self) -> None:
        """Has the reader look again."""
        self._news.set()

    def end(self, error: Exception | None = None) -> None:
        """Ends the reader with an error or without, once nothing waits for it."""
        self._end = error or StopAsyncIteration()
        self._news.set()


class Inboxes(Generic[Key, Item]):
    """The readers of one feature, each under the name that its machine knows it by."""

    def __init__(self) -> None:
        self._open: dict[Key, Inbox[Item]] = {}
        self._is_draining = False

    def __iter__(self) -> Iterator[Key]:
        return iter(self._open)

    @contextmanager
    def open(self, key: Key, take: Callable[[], Item | None]) -> Iterator[Inbox[Item]]:
        """Adds a reader for as long as the context is open."""
        inbox = self._open[key] = Inbox(take)
        if self._is_draining:
            self.drain()
        try:
            yield inbox
        finally:
            del self._open[key]

    def wake(self, key: Key) -> None:
        """Has a reader look again, if it is still there."""
        inbox = self._open.get(key)
        if inbox is not None:
            inbox.wake()

    def drain(self) -> None:
        """Ends every reader, also those to come: the module is about to stop."""
        self._is_draining = True
        for inbox in self._open.values():
            inbox.end(ModuleDrainingError("the network module is about to stop"))
