"""Things that are written together: those that come while others are written wait for the next."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Groups(Generic[Item]):
    """What waits to be written by one writer. One that comes alone is written at once."""

    def __init__(
        self,
        write: Callable[[list[Item]], Awaitable[None]],
        *,
        max_size: int,
        rest_s: float = 0.0,
    ) -> None:
        """
        Args:
            write: Writes a group; reports failures by itself.
            max_size: Of a group.
            rest_s: After what waited is written, before the next is: for more to come.
        """
        self._write = write
        self._max_size = max_size
        self._rest_s = rest_s
        self._waiting: list[Item] = []
        self._has_some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: Item) -> None:
        """Has something be written."""
        self._waiting.append(item)
        self._has_some.set()

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            await self._has_some.wait()
            self._has_some.clear()
            while self._waiting:
                size = self._max_size
                group, self._waiting = self._waiting[:size], self._waiting[size:]
                await self._write(group)
            await asyncio.sleep(self._rest_s)
