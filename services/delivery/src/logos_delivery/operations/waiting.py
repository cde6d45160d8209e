"""How a stream waits for what it is to say next."""

import asyncio

from logos_module.errors import ModuleDrainingError


async def news_or_end(news: asyncio.Event, stopping: asyncio.Event) -> None:
    """Waits for news; raises ModuleDrainingError when the module is to stop."""
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(one.wait()) for one in (news, stopping)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
    if stopping.is_set():
        raise ModuleDrainingError("delivery is about to stop")
