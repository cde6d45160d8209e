"""Serves blocks to other nodes (STO-24, STO-26 to STO-28)."""

import asyncio
import logging
from contextlib import AsyncExitStack, aclosing, closing
from typing import Final

from logos_storage.core import wire
from logos_storage.core.cid import Cid
from logos_storage.core.errors import BadDataError, FrameMalformedError
from logos_storage.core.ports import Consumer, Datasets, Tree
from logos_storage.core.wire import ServedBlock

log = logging.getLogger(__name__)

MAX_ANSWERS: Final = 24
"""Answers in memory for all peers together, at most 4 MiB each."""

Answer = tuple[wire.WantBlocks, int, list[ServedBlock]]


class ServeBlocks:
    """Serves any number of peers side by side."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets
        self._answers = asyncio.Semaphore(MAX_ANSWERS)

    async def __call__(self, consumer: Consumer) -> None:
        """Answers one peer's requests until it ends.

        Raises:
            FrameMalformedError, StreamLostError, TimeoutError
        """
        answers: asyncio.Queue[Answer | None] = asyncio.Queue(maxsize=1)
        with closing(_Slots(self._answers)) as slots:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_send(consumer, answers, slots))
                async with aclosing(_KeptTree(self._datasets)) as kept:
                    async for request in consumer.requests(kept.aclose):
                        await slots.acquire()
                        tree = await kept.open(request.tree_cid)
                        await answers.put(await _read(tree, request))
                await answers.put(None)


async def _send(consumer: Consumer, answers: asyncio.Queue[Answer | None], slots: "_Slots") -> None:
    while (answer := await answers.get()) is not None:
        await consumer.respond(*answer)
        slots.release()
    await consumer.end()


async def _read(tree: Tree | None, request: wire.WantBlocks) -> Answer:
    """Reads what is here of what was asked for; what is not is left out (STO-26)."""
    if tree is None:
        return request, 0, []
    if request.block_count * tree.shape.block_size_bytes > wire.MAX_BATCH_BYTES:
        raise FrameMalformedError("request is for too many bytes")
    try:
        blocks = await tree.serve(request.ranges)
    except BadDataError as error:
        log.exception("decayed blocks are not served", extra={"error": str(error)})
        blocks = []
    return request, tree.shape.block_count, blocks


class _Slots:
    """What one stream holds of the room for answers in memory."""

    def __init__(self, room: asyncio.Semaphore) -> None:
        self._room = room
        self._held = 0

    async def acquire(self) -> None:
        await self._room.acquire()
        self._held += 1

    def release(self) -> None:
        self._room.release()
        self._held -= 1

    def close(self) -> None:
        while self._held:
            self.release()


class _KeptTree:
    """The tree that a peer asks for, kept open between its requests."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets
        self._stack = AsyncExitStack()
        self._tree_cid: Cid | None = None
        self._tree: Tree | None = None

    async def open(self, tree_cid: Cid) -> Tree | None:
        if self._tree is None or tree_cid != self._tree_cid:
            await self.aclose()
            self._tree = await self._stack.enter_async_context(self._datasets.open_served(tree_cid))
            self._tree_cid = tree_cid
        return self._tree

    async def aclose(self) -> None:
        self._tree = None
        await self._stack.aclose()
