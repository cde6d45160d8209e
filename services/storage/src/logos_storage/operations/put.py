"""Stores content and announces it (STO-11)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from logos_storage.core.happenings import Stored, Tell
from logos_storage.core.manifest import check_filename, check_mimetype
from logos_storage.core.ports import DatasetRecord, Datasets, Description
from logos_storage.core.types import check_block_size
from logos_storage.operations.announce import Announcer


@dataclass(frozen=True, slots=True)
class Put:
    """Puts content into one node."""

    datasets: Datasets
    announcer: Announcer
    tell: Tell
    default_block_bytes: int
    """For a description that names no block size."""

    async def __call__(
        self,
        description: Description,
        content: AsyncIterator[bytes | memoryview],
        *,
        mark: str = "",
    ) -> DatasetRecord:
        """Returns the dataset, on disk. Content that does not come to its end leaves nothing.

        Raises:
            InvalidBlockSizeError, InvalidFilenameError, InvalidMimetypeError,
            QuotaExceededError, DiskFullError
        """
        if not description.block_size_bytes:
            description = replace(description, block_size_bytes=self.default_block_bytes)
        check_block_size(description.block_size_bytes)
        check_filename(description.filename)
        check_mimetype(description.mimetype)
        record = await self.datasets.put(description, content)
        self.announcer.announce(record.cid)
        manifest = record.manifest
        self.tell(Stored(record.cid, manifest.filename, manifest.size_bytes, mark))
        return record
