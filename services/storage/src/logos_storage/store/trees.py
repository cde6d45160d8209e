"""Trees that are open: reading, serving and completing them.

One object for each tree in use, shared by its users. State changes on the event
loop; files are read, written and hashed in worker threads.

Spec: docs/protocol/storage.md, STO-13 to STO-16.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from logos_base.errors import LogosError
from logos_module.driver import Driver
from logos_module.shielded import Shielded, until_done
from logos_storage.core.batch import VerifiedBatch, runs_of, verify_stored
from logos_storage.core.bitfield import Bitfield
from logos_storage.core.errors import BadDataError, ProofRefusedError
from logos_storage.core.flush import Complete, Effect, Flush, Note, Sync
from logos_storage.core.quota import Quota, Reservation
from logos_storage.core.types import MonotonicMs, TreeShape
from logos_storage.core.wire import BlockRange, ServedBlock
from logos_storage.store.files import TreeFiles
from logos_storage.store.fresh import FreshBlocks

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DiskExecutor:
    """What all parts of the store share: threads, quota, clock."""

    threads: Executor
    tasks: asyncio.TaskGroup
    shielded: Shielded
    """Changes that must be completed even if their caller is cancelled."""
    quota: Quota
    monotonic_ms: MonotonicMs
    headroom_bytes: int
    fresh: FreshBlocks

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Does blocking work in a worker thread, to its end.

        A caller that is cancelled continues only then: its clean-up must not
        meet a thread that is still working.
        """
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self.threads, lambda: work(*args, **kwargs))
        await until_done((job,))
        return job.result()


class OpenTree:
    """`Tree` over its files. `uses` counts by dataset; serving counts under the empty name."""

    def __init__(
        self,
        executor: DiskExecutor,
        shape: TreeShape,
        files: TreeFiles,
        bitfield: Bitfield,
        completed: Callable[[TreeShape], Awaitable[None]],
    ) -> None:
        self.uses: Counter[str] = Counter()
        self.shape = shape
        self.bitfield = bitfield
        self._executor = executor
        self._files = files
        self._completed = completed
        self._reservations: list[Reservation] = []
        self._flush = Flush(bitfield, executor.monotonic_ms())
        self._driver: Driver[Effect] = Driver(self._flush, self._perform, executor.monotonic_ms)
        self._driving: asyncio.Task[None] | None = None
        if not bitfield.is_full:
            self._driving = executor.tasks.create_task(self._driver.run())

    async def read(self, first: int, end: int) -> list[memoryview]:
        fresh = self._executor.fresh.take(self.shape.name, first, end)
        if fresh is not None:
            return fresh
        data, _ = await self._executor.run(_read_verified, self._files, self.shape, first, end)
        return [data]

    async def serve(self, ranges: Sequence[BlockRange]) -> list[ServedBlock]:
        held = sorted(
            {
                index
                for one in ranges
                for index in range(one.start, min(one.end, self.shape.block_count))
                if index in self.bitfield
            }
        )
        return await self._executor.run(_serve, self._files, self.shape, held)

    async def keep(self, batch: VerifiedBatch, size_bytes: int) -> None:
        await self._executor.run(_keep, self._files, self.shape, batch, size_bytes)
        new = [block for block in batch.blocks if block.index not in self.bitfield]
        for block in new:
            self.bitfield.add(block.index)
        self._executor.fresh.add(self.shape.name, new)
        size = len(new) * self.shape.block_size_bytes
        self._spend(size)
        self._driver.put(self._flush.written, size)
        if new and self.bitfield.is_full:
            await self._driver.ask(self._flush.finish)

    @asynccontextmanager
    async def reserve(self, first: int, end: int) -> AsyncIterator[None]:
        missing = sum(1 for _ in self.bitfield.missing(first, end))
        with self._executor.quota.reservation(missing * self.shape.block_size_bytes) as one:
            self._reservations.append(one)
            try:
                yield
            finally:
                self._reservations.remove(one)

    def replace(self, files: TreeFiles) -> None:
        """Switches to the files of a complete tree that was put meanwhile.

        The previous files are closed when the last thread drops its reference to them.
        """
        self._files = files
        for index in range(self.shape.block_count):
            self.bitfield.add(index)
        self._driver.put(self._flush.replaced)

    async def close(self) -> None:
        """Flushes the last blocks, and closes the files; there are no users any more."""
        try:
            if self._driving is not None:
                await self._driver.ask(self._flush.finish)
        finally:
            self._driver.stop()
            if self._driving is not None:
                await until_done((self._driving,))
            self._executor.fresh.forget(self.shape.name)
            self._files.close()

    def _spend(self, amount: int) -> None:
        for reservation in self._reservations:
            amount -= reservation.spend(amount)
        # Not reserved are only blocks requested before their reader was cancelled:
        # a bounded number, which is worth keeping.
        self._executor.quota.used_bytes += amount

    def _perform(self, effect: Effect) -> None:
        run, files = self._executor.run, self._files
        match effect:
            case Sync():
                self._driver.start(self._do(run(files.sync), self._flush.synced))
            case Note(bits=bits):
                self._driver.start(self._do(run(files.write_bitmap, bits), self._flush.noted))
            case Complete():
                self._driver.start(self._do(self._completed(self.shape), self._flush.noted))

    async def _do(self, work: Awaitable[None], done: Callable[[int], list[Effect]]) -> None:
        try:
            await work
        except (LogosError, OSError) as error:
            log.warning("blocks could not be flushed, retrying", extra={"error": str(error)})
            self._driver.put(self._flush.failed, error)
        else:
            self._driver.put(done)


def _read_verified(
    files: TreeFiles, shape: TreeShape, first: int, end: int
) -> tuple[memoryview, list[tuple[bytes, tuple[bytes, ...]]]]:
    """Reads whole blocks, and the digest of each with the path of its proof."""
    data = memoryview(files.read_blocks(first, end, shape))
    try:
        return data, verify_stored(data, first, shape, files.read_nodes(first, end, shape))
    except ProofRefusedError as error:
        raise BadDataError(
            f"blocks {first} to {end - 1} of {shape.tree_cid} have decayed on this node's disk;"
            " delete the dataset and get it again"
        ) from error


def _serve(files: TreeFiles, shape: TreeShape, held: list[int]) -> list[ServedBlock]:
    served: list[ServedBlock] = []
    size = shape.block_size_bytes
    for first, end in runs_of(held):
        data, proven = _read_verified(files, shape, first, end)
        for number, (digest, path) in enumerate(proven):
            block = data[number * size : (number + 1) * size]
            served.append(ServedBlock(first + number, digest, block, path))
    return served


def _keep(files: TreeFiles, shape: TreeShape, batch: VerifiedBatch, size_bytes: int) -> None:
    files.write_blocks(batch.blocks, shape, size_bytes)
    files.write_nodes(batch.nodes)
