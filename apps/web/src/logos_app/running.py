"""Work that goes on while something else does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

Work = Coroutine[Any, Any, None]


@asynccontextmanager
async def background(work: Work) -> AsyncIterator[Callable[[Work], object]]:
    """Runs work until the end of the block, and more that is given to it; a failure is the block's.

    Yields: what begins more work.
    """
    async with asyncio.TaskGroup() as tasks:
        begun: set[asyncio.Task[None]] = set()

        def begin(more: Work) -> None:
            task = tasks.create_task(more)
            begun.add(task)
            task.add_done_callback(begun.discard)

        begin(work)
        try:
            yield begin
        finally:
            for task in list(begun):
                task.cancel()
