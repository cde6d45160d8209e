"""Stores content and announces it (STO-11)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from logos_storage.core.manifest import check_filename, check_mimetype
from logos_storage.core.ports import DatasetRecord, Datasets
from logos_storage.core.types import check_block_size
from logos_storage.operations.announce import Announcer


@dataclass(frozen=True, slots=True)
class Description:
    """What a caller says of the content that it puts."""

    block_size_bytes: int
    """0: the default of the node."""
    filename: str
    mimetype: str
    size_hint_bytes: int
    """Reserved before the content comes; 0: not known."""


@dataclass(frozen=True, slots=True)
class Put:
    """Puts content into one node."""

    datasets: Datasets
    announcer: Announcer
    default_block_bytes: int

    async def __call__(
        self, description: Description, content: AsyncIterator[bytes | memoryview]
    ) -> DatasetRecord:
        """Returns the dataset, on disk. Content that does not come to its end leaves nothing.

        Raises:
            InvalidBlockSizeError, InvalidFilenameError, InvalidMimetypeError,
            QuotaExceededError, DiskFullError
        """
        block_size_bytes = description.block_size_bytes or self.default_block_bytes
        check_block_size(block_size_bytes)
        check_filename(description.filename)
        check_mimetype(description.mimetype)
        async with self.datasets.put(
            block_size_bytes=block_size_bytes,
            filename=description.filename,
            mimetype=description.mimetype,
            size_hint_bytes=description.size_hint_bytes,
        ) as upload:
            async for piece in content:
                await upload.write(piece)
            record = await upload.finish()
        self.announcer.announce(record.cid)
        return record
