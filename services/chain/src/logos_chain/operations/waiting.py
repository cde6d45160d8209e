"""Waits for what is to come, unless the module is to stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from logos_module.errors import ModuleDrainingError


async def news_or_end(news: Coroutine[Any, Any, object], stopping: asyncio.Event) -> None:
    """Waits for news, which may be cancelled; raises ModuleDrainingError when the module stops."""
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(each) for each in (news, stopping.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
    if stopping.is_set():
        raise ModuleDrainingError("the module is about to stop")
