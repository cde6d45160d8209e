"""Reads content, and fetches first what this node lacks of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from logos_module.errors import cause_of
from logos_storage.core.cid import Cid
from logos_storage.core.errors import IncompleteLocalError, RangeNotSatisfiableError
from logos_storage.core.ports import DatasetRecord, Datasets, Tree
from logos_storage.operations.adopt import Adopt
from logos_storage.operations.fetch import Fetches, Reader

FRAME_BYTES: Final = 1024 * 1024
"""The most that is read at a time; a whole number of blocks of every size."""
READ_AHEAD: Final = 2
"""Frames read and verified before they can be sent."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller wants of a dataset."""

    cid: Cid
    offset: int = 0
    length: int = 0
    """0: to the end."""
    local_only: bool = False
    """Fail instead of asking other nodes."""


Frame = list[memoryview]


@dataclass(frozen=True, slots=True)
class Content:
    """A range of a dataset that is being read."""

    record: DatasetRecord
    blocks_held: int
    """When the reading began."""
    waiting: asyncio.Queue[Frame | None]
    """Read, but not yet taken; None at the end."""

    async def frames(self) -> AsyncIterator[Frame]:
        """Yields the bytes in order, in frames of up to 1 MiB."""
        while (frame := await self.waiting.get()) is not None:
            yield frame


@dataclass(frozen=True, slots=True)
class Get:
    """Gets content through one node."""

    datasets: Datasets
    fetches: Fetches
    adopt: Adopt

    @asynccontextmanager
    async def __call__(
        self, wanted: Wanted, *, patience_ms: int, mark: str = ""
    ) -> AsyncIterator[Content]:
        """Opens a range of a dataset. Errors while it is read are raised at the end of the body.

        Args:
            wanted: The range.
            patience_ms: A fetch fails when no block has arrived for this long.
            mark: Of the call that it is for (STO-42).

        Raises:
            IncompleteLocalError, RangeNotSatisfiableError, DatasetUnknownError,
            NoProvidersError, ProvidersUnreachableError, BadDataError,
            QuotaExceededError, DiskFullError, NetworkDeniedError
        """
        adopted = self.adopt(wanted.cid, local_only=wanted.local_only, patience_ms=patience_ms)
        try:
            async with (
                adopted as (record, holder),
                self.datasets.open(record) as tree,
                AsyncExitStack() as stack,
            ):
                span = _span_of(wanted, record)
                blocks = tree.shape.blocks_of(*span)
                reader: Reader | None = None
                if not tree.bitfield.holds(*blocks):
                    if wanted.local_only:
                        raise IncompleteLocalError("blocks are missing; get it without local_only")
                    await stack.enter_async_context(tree.reserve(*blocks))
                    fetch = self.fetches.blocks(
                        record, tree, blocks, holder=holder, patience_ms=patience_ms, mark=mark
                    )
                    reader = await stack.enter_async_context(fetch)
                content = Content(record, tree.bitfield.held, asyncio.Queue(READ_AHEAD))
                tasks = await stack.enter_async_context(asyncio.TaskGroup())
                reading = tasks.create_task(_read(tree, reader, span, content.waiting))
                yield content
                reading.cancel()
        except ExceptionGroup as group:
            raise cause_of(group) from group


async def _read(
    tree: Tree, reader: Reader | None, span: tuple[int, int], frames: asyncio.Queue[Frame | None]
) -> None:
    """Reads ahead of the caller, but not far."""
    offset, end = span
    size = tree.shape.block_size_bytes
    step = FRAME_BYTES // size
    first, last = tree.shape.blocks_of(offset, end)
    for start in range(first, last, step):
        stop = min(start + step, last)
        if reader is not None:
            await reader.wait(start, stop)
        pieces = await tree.read(start, stop)
        await frames.put(list(_cut(pieces, offset - start * size, end - start * size)))
    await frames.put(None)


def _span_of(wanted: Wanted, record: DatasetRecord) -> tuple[int, int]:
    size = record.manifest.size_bytes
    if wanted.offset > size:
        raise RangeNotSatisfiableError(f"the content has {size} bytes", field="offset")
    if not wanted.length:
        return wanted.offset, size
    return wanted.offset, min(size, wanted.offset + wanted.length)


def _cut(pieces: Iterable[memoryview], low: int, high: int) -> Iterator[memoryview]:
    """Yields bytes [low, high) of joined pieces; both may lie outside."""
    at = 0
    for piece in pieces:
        yield piece[max(low - at, 0) : max(high - at, 0)]
        at += len(piece)
