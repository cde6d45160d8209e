"""Processes that import a checkpoint until they are killed; `python … FOLDER`.

The folder has the `checkpoint`; `fresh.sqlite` is begun with it. Tells `begun` once it is durable.
"""

import asyncio
from pathlib import Path

from chain_checkpoints import importing, opened
from chain_world import TWO, World
from chain_writers import forked, say


async def write(folder: Path) -> None:
    world = World(TWO)
    async with opened(folder / "fresh.sqlite", world) as store:
        await importing(store, world, folder / "checkpoint").run()
        say("begun")
        await asyncio.sleep(3600)


if __name__ == "__main__":
    forked(write)
