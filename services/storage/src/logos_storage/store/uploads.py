"""Puts under way: bytes come in, blocks are hashed and written beside one another.

Jobs of about one MiB go to worker threads; a bounded number of them is under way
in the whole store, so a slow disk slows the sender down. The disk is
asked to write early, so that little is left to wait for at the end.

Spec: docs/protocol/storage.md, STO-11.
"""

import asyncio
import hashlib
from pathlib import Path
from typing import Final

from logos_storage.core import merkle
from logos_storage.core.cid import TREE, Cid
from logos_storage.core.quota import Reservation
from logos_storage.core.types import TreeShape, block_count_of
from logos_storage.store.files import TreeFiles
from logos_storage.store.trees import DiskExecutor

JOB_BYTES: Final = 1024 * 1024
SYNC_BYTES: Final = 64 * 1024 * 1024
RESERVE_STEP_BYTES: Final = 4 * 1024 * 1024


class UploadFiles:
    """The files of one put. Not for several tasks at once."""

    def __init__(
        self,
        executor: DiskExecutor,
        slots: asyncio.Semaphore,
        reservation: Reservation,
        folder: Path,
        block_size_bytes: int,
    ) -> None:
        self.folder = folder
        self.size_bytes = 0
        self.block_size_bytes = block_size_bytes
        self.is_discarded = False
        """Its put has ended without it; it must not become a dataset any more."""
        self._executor = executor
        self._slots = slots
        self._reservation = reservation
        self._charged_bytes = 0
        self._files: TreeFiles | None = None
        self._rest = bytearray()
        self._written_bytes = 0
        self._synced_bytes = 0
        self._jobs: set[asyncio.Future[None]] = set()
        self._sync: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None

    async def open(self) -> None:
        self._files = await self._executor.run(
            TreeFiles, self.folder, create=True, headroom_bytes=self._executor.headroom_bytes
        )

    async def write(self, data: bytes | memoryview) -> None:
        """Takes the next bytes; waits while the disk is busy.

        Raises:
            QuotaExceededError, DiskFullError: The put has failed.
        """
        self._raise_failure()
        self.size_bytes += len(data)
        self._charge(len(data))
        whole = len(data) - len(data) % self.block_size_bytes
        if not self._rest and whole >= JOB_BYTES:
            await self._start(memoryview(data)[:whole])
            self._rest += memoryview(data)[whole:]
            return
        self._rest += data
        if len(self._rest) >= JOB_BYTES:
            whole = len(self._rest) - len(self._rest) % self.block_size_bytes
            taken, self._rest = self._rest[:whole], self._rest[whole:]
            await self._start(memoryview(taken))

    async def finish(self) -> TreeShape:
        """Writes what is left and the tree, and makes both durable."""
        files = self._open_files()
        if self._rest:
            taken, self._rest = self._rest, bytearray()
            await self._start(memoryview(taken))
        await self.settle()
        self._raise_failure()
        count = block_count_of(self.size_bytes, self.block_size_bytes)
        root = merkle.EMPTY_ROOT
        if count:
            root = await self._executor.run(files.build_layers, count)
        shape = TreeShape(Cid(TREE, root), self.block_size_bytes, count)
        await self._executor.run(files.sync)
        self._charge(shape.packed_bytes)
        return shape

    def close(self) -> None:
        if self._files is not None:
            self._files.close()

    async def settle(self) -> None:
        """Waits for the work under way; what failed is kept for later."""
        waiting = {*self._jobs, *(() if self._sync is None else (self._sync,))}
        if waiting:
            await asyncio.wait(waiting)

    def release(self) -> None:
        """Gives the reservation back: the bytes are accounted for elsewhere now."""
        self._reservation.release()

    def _charge(self, amount: int) -> None:
        """Sees to it that all bytes so far are reserved."""
        self._charged_bytes += amount
        lacking = self._charged_bytes - self._reservation.left_bytes
        if lacking > 0:
            quota = self._executor.quota
            left = quota.limit_bytes - quota.used_bytes - quota.reserved_bytes
            self._reservation.grow(max(lacking, min(RESERVE_STEP_BYTES, left)))

    async def _start(self, data: memoryview) -> None:
        files = self._open_files()
        await self._slots.acquire()
        loop = asyncio.get_running_loop()
        offset, self._written_bytes = self._written_bytes, self._written_bytes + len(data)
        job = loop.run_in_executor(
            self._executor.threads, _hash_and_write, files, data, offset, self.block_size_bytes
        )
        self._jobs.add(job)
        job.add_done_callback(self._job_done)
        if self._written_bytes - self._synced_bytes >= SYNC_BYTES:
            if self._sync is not None:
                await asyncio.wait((self._sync,))
            self._synced_bytes = self._written_bytes
            self._sync = loop.run_in_executor(self._executor.threads, files.sync_data)
            self._sync.add_done_callback(self._note_failure)

    def _job_done(self, job: asyncio.Future[None]) -> None:
        self._slots.release()
        self._jobs.discard(job)
        self._note_failure(job)

    def _note_failure(self, job: asyncio.Future[None]) -> None:
        if not job.cancelled() and job.exception() is not None:
            self._failure = self._failure or job.exception()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _open_files(self) -> TreeFiles:
        if self._files is None:
            raise ValueError("the upload is not open")
        return self._files


def _hash_and_write(files: TreeFiles, data: memoryview, offset: int, block_size_bytes: int) -> None:
    """Hashes blocks, the last one padded with zeros, and writes them and their leaves."""
    files.write_data([data], offset)
    leaves = []
    for start in range(0, len(data), block_size_bytes):
        block = data[start : start + block_size_bytes]
        digest = hashlib.sha256(block)
        if len(block) < block_size_bytes:
            digest.update(bytes(block_size_bytes - len(block)))
        leaves.append(digest.digest())
    files.write_leaves(b"".join(leaves), offset // block_size_bytes)
