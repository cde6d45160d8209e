"""Exports checkpoints: the chain at its newest final block, as a file for another node.

It is written whole to a nameless file of the node first, in one look at the database, and passed on
from there. So a caller that is slow keeps no transaction open, and the hash is known at the start.

Spec: docs/protocol/chain-checkpoints.md, CKP-1, CKP-3, CKP-6, CKP-12.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from logos_base.errors import LogosError, StoreFailedError
from logos_chain.core.checkpoints.errors import CheckpointBusyError
from logos_chain.core.checkpoints.format import CheckpointWriter, Record, Summary
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import CheckpointStore
from logos_module.disk import disk_full, is_full
from logos_module.shielded import Shielded

CHUNK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Exported:
    """A checkpoint that was made."""

    summary: Summary
    hash: bytes
    """Its name, 32 bytes: to be compared out of band."""
    size_bytes: int
    _file: IO[bytes]

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Gives the bytes, at most `CHUNK_BYTES` at a time; raises `StoreFailedError`."""
        try:
            await asyncio.to_thread(self._file.seek, 0)
            while chunk := await asyncio.to_thread(self._file.read, CHUNK_BYTES):
                yield chunk
        except OSError as error:
            raise StoreFailedError(f"the checkpoint cannot be read again: {error}") from error


class ExportOperations:
    """The checkpoints of one node: one at a time."""

    def __init__(
        self, store: CheckpointStore, *, genesis: BlockId, specification: bytes, folder: Path
    ) -> None:
        """
        Args:
            store: Of the chain.
            genesis: Of the chain.
            specification: Hash of the chain's, 32 bytes.
            folder: Of the node; it takes a checkpoint for as long as it is exported.
        """
        self._store = store
        self._genesis = genesis
        self._specification = specification
        self._folder = folder
        self._is_busy = False

    @asynccontextmanager
    async def export(self) -> AsyncIterator[Exported]:
        """Makes a checkpoint, and forgets it at the end.

        If it is cancelled while the checkpoint is made, it ends when that does.

        Raises:
            CheckpointBusyError: Another one is being exported.
            ChainStoreDamagedError, DiskFullError, StoreFailedError
        """
        if self._is_busy:
            raise CheckpointBusyError("a checkpoint is being exported already: try again later")
        self._is_busy = True
        try:
            with self._spool() as file:
                yield await self._written(file)
        finally:
            self._is_busy = False

    def _spool(self) -> IO[bytes]:
        try:
            return tempfile.TemporaryFile(dir=self._folder)
        except OSError as error:
            raise self._failed(error) from error

    async def _written(self, file: IO[bytes]) -> Exported:
        writer = CheckpointWriter()
        found: list[Summary] = []

        def write(raw: bytes) -> None:
            try:
                file.write(raw)
            except OSError as error:
                raise self._failed(error) from error

        def begin(root: TreeBlock) -> None:
            summary = Summary(self._genesis, self._specification, root.id, root.height, root.slot)
            found.append(summary)
            write(writer.begin(summary))

        def put(record: Record) -> None:
            write(writer.record(record))

        async with Shielded() as reading:  # it writes to the file until it ends, also if left alone
            await reading.run(self._store.dump(begin, put))
        write(writer.end())
        return Exported(found[0], writer.hash, writer.size_bytes, file)

    def _failed(self, error: OSError) -> LogosError:
        if is_full(error):
            return disk_full(self._folder)
        return StoreFailedError(f"{self._folder}: {error.strerror}")
