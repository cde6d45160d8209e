"""Puts under way: bytes come in, blocks are hashed and written beside one another.

Jobs of about one MiB go to worker threads; a bounded number of them is under way
in the whole store, so a slow disk slows the sender down. What is written is made
durable while more comes in, so that little is left to wait for at the end.

Spec: docs/protocol/storage.md, STO-11.
"""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, Final

from logos_module.shielded import until_done
from logos_storage.core import merkle
from logos_storage.core.cid import TREE, Cid
from logos_storage.core.quota import Reservation
from logos_storage.core.types import TreeShape, block_count_of
from logos_storage.store.files import TreeFiles
from logos_storage.store.trees import DiskExecutor

JOB_BYTES: Final = 1024 * 1024
SYNC_BYTES: Final = 8 * 1024 * 1024
"""Synchronised together; the next of them wait while the disk is busy with the last."""
MAX_DIRTY_BYTES: Final = 64 * 1024 * 1024
"""With so much that is not yet durable a put waits for the disk."""


class Upload:
    """The content of one put. Not for several tasks at once."""

    def __init__(
        self,
        executor: DiskExecutor,
        slots: asyncio.Semaphore,
        reservation: Reservation,
        files: TreeFiles,
        block_size_bytes: int,
    ) -> None:
        self.size_bytes = 0
        self._executor = executor
        self._slots = slots
        self._reservation = reservation
        self._files = files
        self._block_size_bytes = block_size_bytes
        self._rest = bytearray()
        """What does not fill a job yet."""
        self._written_bytes = 0
        self._synced_bytes = 0
        self._sync: asyncio.Future[None] | None = None
        self._jobs: set[asyncio.Future[None]] = set()

    async def write(self, data: bytes | memoryview) -> None:
        """Takes the next bytes, which must not change; waits while the disk is busy.

        Raises:
            QuotaExceededError, DiskFullError: The put has failed.
        """
        self._forget_done()
        self.size_bytes += len(data)
        tree_bytes = merkle.node_count(self._block_count) * merkle.NODE_BYTES
        self._reservation.raise_to(self.size_bytes + tree_bytes)
        taken: bytes | bytearray | memoryview = data
        if self._rest or len(data) < JOB_BYTES:
            self._rest += data
            if len(self._rest) < JOB_BYTES:
                return
            taken, self._rest = self._rest, bytearray()
        view = memoryview(taken)
        whole = len(view) - len(view) % self._block_size_bytes
        self._rest += view[whole:]
        await self._start(view[:whole])

    async def finish(self) -> TreeShape:
        """Writes what is left and the tree, and makes both durable."""
        if self._rest:
            await self._start(memoryview(self._rest))
        await until_done(self._jobs)
        self._forget_done()
        root = await self._executor.run(self._files.build_layers, self._block_count)
        await self._executor.run(self._files.sync)
        return TreeShape(Cid(TREE, root), self._block_size_bytes, self._block_count)

    async def close(self) -> None:
        """Waits for the work under way, and closes the files."""
        await until_done(self._jobs)
        self._files.close()

    @property
    def _block_count(self) -> int:
        return block_count_of(self.size_bytes, self._block_size_bytes)

    async def _start(self, blocks: memoryview) -> None:
        await self._slots.acquire()
        offset, self._written_bytes = self._written_bytes, self._written_bytes + len(blocks)
        job = self._run(_hash_and_write, self._files, blocks, offset, self._block_size_bytes)
        job.add_done_callback(lambda _: self._slots.release())
        dirty_bytes = self._written_bytes - self._synced_bytes
        if self._sync is not None and dirty_bytes >= MAX_DIRTY_BYTES:
            await asyncio.wait((self._sync,))
        if dirty_bytes >= SYNC_BYTES and (self._sync is None or self._sync.done()):
            self._synced_bytes = self._written_bytes
            self._sync = self._run(self._files.sync_data)

    def _run(self, work: Callable[..., None], *args: Any) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._executor.threads, work, *args)
        self._jobs.add(job)
        return job

    def _forget_done(self) -> None:
        """Forgets the jobs that are done; raises what one of them has failed with."""
        for job in [job for job in self._jobs if job.done()]:
            job.result()
            self._jobs.remove(job)


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
