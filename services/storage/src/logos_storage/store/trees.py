"""Trees that are open: reading, serving and completing them.

One object for each tree in use, shared by all who use it. State changes on the
event loop; files and hashes in worker threads.

Spec: docs/protocol/storage.md, STO-13 to STO-16.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from logos_base.errors import LogosError
from logos_module.driver import Driver
from logos_module.shielded import Shielded
from logos_storage.core.batch import VerifiedBatch, runs_of, verify_stored
from logos_storage.core.bitfield import Bitfield
from logos_storage.core.errors import BadDataError, ProofRefusedError
from logos_storage.core.flush import Complete, Effect, Flush, Note, Sync
from logos_storage.core.quota import Quota, Reservation
from logos_storage.core.types import MonotonicMs, TreeShape
from logos_storage.core.wire import BlockRange, ServedBlock
from logos_storage.store.files import TreeFiles, read_bitfield
from logos_storage.store.fresh import FreshBlocks

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DiskExecutor:
    """What every part of the store works with: threads, quota, clock."""

    threads: Executor
    tasks: asyncio.TaskGroup
    shielded: Shielded
    """Changes that must not be torn apart, also where their caller is cancelled."""
    quota: Quota
    monotonic_ms: MonotonicMs
    headroom_bytes: int
    fresh: FreshBlocks

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Does blocking work in a worker thread, to its end.

        A caller that is cancelled is let go only then: what it cleans up next must not
        meet a thread that still works on it.
        """
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self.threads, lambda: work(*args, **kwargs))
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            while not job.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait((job,))
            if not job.cancelled():
                job.exception()  # its caller is gone
            raise


class OpenTree:
    """A tree in use. `uses` counts by dataset; serving counts under the empty name."""

    def __init__(
        self,
        executor: DiskExecutor,
        shape: TreeShape,
        files: TreeFiles,
        bitfield: Bitfield,
        completed: Callable[[TreeShape], Awaitable[None]],
    ) -> None:
        self.uses: Counter[str] = Counter()
        self._executor = executor
        self._shape = shape
        self._name = shape.name
        self._files = files
        self._replaced: list[TreeFiles] = []
        self._running: set[asyncio.Future[Any]] = set()
        """Work in threads, which goes on where its caller is cancelled."""
        self._bitfield = bitfield
        self._completed = completed
        self._reservations: list[Reservation] = []
        self._flush = Flush(bitfield, executor.monotonic_ms())
        self._driver: Driver[Effect] = Driver(self._flush, self._perform, executor.monotonic_ms)
        self._driving: asyncio.Task[None] | None = None
        if not bitfield.is_full:
            self._driving = executor.tasks.create_task(self._driver.run())

    @property
    def shape(self) -> TreeShape:
        return self._shape

    @property
    def bitfield(self) -> Bitfield:
        return self._bitfield

    async def read(self, first: int, end: int) -> list[memoryview]:
        """Reads whole blocks [first, end), padded and verified (STO-18), in pieces.

        Raises:
            BadDataError: They have decayed.
        """
        fresh = self._executor.fresh.take(self._name, first, end)
        if fresh is not None:
            return fresh
        return [await self._work(_read_verified, self._shape, first, end)]

    async def serve(self, ranges: Sequence[BlockRange]) -> list[ServedBlock]:
        """Reads what is here of the ranges, verified, with proofs."""
        held = sorted(
            {
                index
                for one in ranges
                for index in range(one.start, min(one.end, self._shape.block_count))
                if index in self._bitfield
            }
        )
        return await self._work(_serve, self._shape, held)

    async def keep(self, batch: VerifiedBatch, size_bytes: int) -> None:
        """Keeps blocks that were verified against this tree."""
        await self._work(_keep, self._shape, batch, size_bytes)
        new = [block for block in batch.blocks if block.index not in self._bitfield]
        for block in new:
            self._bitfield.add(block.index)
        self._executor.fresh.add(self._name, new)
        size = len(new) * self._shape.block_size_bytes
        self._spend(size)
        self._driver.put(self._flush.written, size)
        if new and self._bitfield.is_full:
            await self._driver.ask(self._flush.finish)

    @asynccontextmanager
    async def reserve(self, first: int, end: int) -> AsyncIterator[None]:
        """Reserves room for what is missing of [first, end); QuotaExceededError."""
        missing = 0
        index = self._bitfield.next_missing(first, end)
        while index < end:
            missing += 1
            index = self._bitfield.next_missing(index + 1, end)
        amount = missing * self._shape.block_size_bytes
        with self._executor.quota.reservation(amount) as reservation:
            self._reservations.append(reservation)
            try:
                yield
            finally:
                self._reservations.remove(reservation)

    def replace(self, files: TreeFiles) -> None:
        """Goes on with a complete tree that was put meanwhile.

        The files so far stay open while work on them may run; their folder is gone already.
        """
        self._replaced.append(self._files)
        self._files = files
        for index in range(self._shape.block_count):
            self._bitfield.add(index)
        self._driver.put(self._flush.replaced)

    async def close(self) -> None:
        """Notes what came last, and lets go of the files."""
        try:
            if self._driving is not None:
                await self._driver.ask(self._flush.finish)
        finally:
            self._driver.stop()
            if self._driving is not None:
                await asyncio.wait((self._driving,))
            if self._running:
                await asyncio.wait(self._running)
            self._executor.fresh.forget(self._name)
            for files in (self._files, *self._replaced):
                files.close()

    async def _work(self, work: Callable[..., T], *args: Any) -> T:
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._executor.threads, work, self._files, *args)
        self._running.add(job)
        job.add_done_callback(self._worked)
        return await asyncio.shield(job)

    def _worked(self, job: asyncio.Future[Any]) -> None:
        self._running.discard(job)
        if not job.cancelled():
            job.exception()  # its caller gets it, if it still waits

    def _spend(self, amount: int) -> None:
        for reservation in self._reservations:
            step = min(amount, reservation.left_bytes)
            reservation.spend(step)
            amount -= step
        # Without a reservation only what was asked for before its reader went
        # away: a bounded rest, which is not worth throwing away.
        self._executor.quota.used_bytes += amount

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Sync():
                self._driver.start(self._do(self._work(TreeFiles.sync), self._flush.synced))
            case Note(bits=bits):
                note = self._work(TreeFiles.write_bitmap, bits)
                self._driver.start(self._do(note, self._flush.noted))
            case Complete():
                self._driver.start(self._do(self._completed(self._shape), self._flush.noted))

    async def _do(self, work: Awaitable[None], done: Callable[[int], list[Effect]]) -> None:
        try:
            await work
        except (LogosError, OSError) as error:
            log.warning("blocks are not noted yet", extra={"error": str(error)})
            self._driver.put(self._flush.failed, error)
        else:
            self._driver.put(done)


def _read_verified(files: TreeFiles, shape: TreeShape, first: int, end: int) -> memoryview:
    data = memoryview(files.read_blocks(first, end, shape))
    try:
        verify_stored(data, first, shape, files.read_nodes(first, end, shape))
    except ProofRefusedError as error:
        raise _decayed(shape, first, end) from error
    return data


def _decayed(shape: TreeShape, first: int, end: int) -> BadDataError:
    return BadDataError(
        f"blocks {first} to {end - 1} of {shape.tree_cid} have decayed on this node's disk;"
        " delete the dataset and get it again"
    )


def _serve(files: TreeFiles, shape: TreeShape, held: list[int]) -> list[ServedBlock]:
    served: list[ServedBlock] = []
    size = shape.block_size_bytes
    for first, end in runs_of(held):
        data = memoryview(files.read_blocks(first, end, shape))
        nodes = files.read_nodes(first, end, shape)
        try:
            proven = verify_stored(data, first, shape, nodes)
        except ProofRefusedError as error:
            raise _decayed(shape, first, end) from error
        for number, (digest, path) in enumerate(proven):
            block = data[number * size : (number + 1) * size]
            served.append(ServedBlock(first + number, digest, block, path))
    return served


def _keep(files: TreeFiles, shape: TreeShape, batch: VerifiedBatch, size_bytes: int) -> None:
    files.write_blocks(batch.blocks, shape, size_bytes)
    files.write_nodes(batch.nodes)


def open_files(
    folder: Path, shape: TreeShape, *, is_complete: bool, headroom_bytes: int
) -> tuple[TreeFiles, Bitfield]:
    """Opens what is on disk of a tree; a partial one is made if it is not there."""
    if is_complete:
        files = TreeFiles(folder, headroom_bytes=headroom_bytes)
        return files, Bitfield.full(shape.block_count)
    files = TreeFiles(folder, create=True, headroom_bytes=headroom_bytes)
    return files, read_bitfield(folder, shape)
