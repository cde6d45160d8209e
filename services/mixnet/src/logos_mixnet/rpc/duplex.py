"""Both directions of a call at once."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def until_written(
    *, read: Coroutine[Any, Any, None], write: Coroutine[Any, Any, None]
) -> None:
    """Runs both directions of a call until the writing one returns or either raises.

    The other is cancelled then. Raises what was raised first, as it was.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(read)
            await write
            reading.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
