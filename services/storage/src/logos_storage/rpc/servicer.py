"""Serves `logos.storage.v1.Storage`.

What a method can fail with stands in the contract; here errors are only raised.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from logos.storage.v1 import storage_pb2
from logos.storage.v1.storage_pb2_grpc import StorageServicer as Contract
from logos_module.bulk import BulkField, BulkMethod
from logos_module.pages import number_to_token, page_size, page_start, token_to_number
from logos_storage.core.cid import Cid
from logos_storage.core.errors import (
    DatasetUnknownError,
    FrameTooLargeError,
    HeaderExpectedError,
    IncompleteLocalError,
    RangeNotSatisfiableError,
)
from logos_storage.core.ports import (
    Announcing,
    Arrivals,
    DatasetRecord,
    Datasets,
    Fetching,
    Tree,
    Upload,
)
from logos_storage.rpc import convert

FRAME_BYTES: Final = 1024 * 1024
"""The most that a response of Get carries; a whole number of blocks of every size."""
MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
"""The most content that a request of Put carries."""
READ_AHEAD: Final = 2
"""Frames read and verified before they can be sent."""

Context = Any  # the generated stubs name the synchronous kind


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a caller may leave open."""

    block_size_bytes: int
    fetch_timeout_ms: int


class StorageServicer(Contract):
    """One per process; holds no state of its own."""

    bulk: ClassVar[Mapping[str, BulkMethod]] = {
        "Put": BulkMethod(request=BulkField(storage_pb2.PutRequest)),
        "Get": BulkMethod(response=BulkField(storage_pb2.GetResponse)),
    }

    def __init__(
        self,
        datasets: Datasets,
        fetching: Fetching,
        announcing: Announcing,
        defaults: Defaults,
    ) -> None:
        self._datasets = datasets
        self._fetching = fetching
        self._announcing = announcing
        self._defaults = defaults

    async def Put(
        self,
        request_iterator: AsyncIterator[storage_pb2.PutRequest | memoryview],
        context: Context,
    ) -> storage_pb2.PutResponse:
        """Stores content and announces it."""
        first = await anext(aiter(request_iterator), None)
        if not isinstance(first, storage_pb2.PutRequest) or not first.HasField("header"):
            raise HeaderExpectedError("the first request is the header")
        header = first.header
        async with self._datasets.put(
            block_size_bytes=header.block_size_bytes or self._defaults.block_size_bytes,
            filename=header.filename,
            mimetype=header.mimetype,
            size_hint_bytes=header.size_hint_bytes,
        ) as upload:
            await _write_all(upload, request_iterator)
            record = await upload.finish()
        self._announcing.announce(record.cid)
        return storage_pb2.PutResponse(dataset=convert.from_record(record))

    async def Get(  # type: ignore[override]  # writes to the context, yields nothing
        self, request: storage_pb2.GetRequest, context: Context
    ) -> None:
        """Streams content, fetching what this node lacks."""
        cid = convert.to_cid(request.cid)
        patience_ms = self._patience_ms(context)
        here = await self._datasets.find(cid)
        record = here or await self._adopt(cid, request, patience_ms)
        offset, end = _range_of(request, record)
        try:
            async with self._datasets.open(record) as tree:
                await self._stream(record, tree, (offset, end), request, context)
        finally:
            if here is None or not here.is_complete:
                await self._settle(cid)

    async def _adopt(
        self, cid: Cid, request: storage_pb2.GetRequest, patience_ms: int
    ) -> DatasetRecord:
        """Fetches the manifest of a dataset that is not here."""
        if request.local_only:
            raise IncompleteLocalError("this node does not hold it; get it without local_only")
        raw = await self._fetching.manifest(cid, patience_ms=patience_ms)
        return await self._datasets.adopt(cid, raw)

    async def _stream(
        self,
        record: DatasetRecord,
        tree: Tree,
        span: tuple[int, int],
        request: storage_pb2.GetRequest,
        context: Context,
    ) -> None:
        offset, end = span
        first, last = tree.shape.blocks_of(offset, end - offset)
        arrivals: Arrivals | None = None
        async with AsyncExitStack() as stack:
            if not tree.presence.holds(first, last):
                if request.local_only:
                    raise IncompleteLocalError("blocks are missing; get it without local_only")
                await stack.enter_async_context(tree.reserve(first, last))
                fetch = self._fetching.blocks(
                    record, tree, first, last, patience_ms=self._patience_ms(context)
                )
                arrivals = await stack.enter_async_context(fetch)
            dataset = convert.from_record(record)
            dataset.blocks_held = tree.presence.held
            await context.write(storage_pb2.GetResponse(dataset=dataset))
            await _write_range(tree, arrivals, offset, end, context)

    async def _settle(self, cid: Cid) -> None:
        """After a fetch: announces what came; what never began to come is forgotten."""
        await self._datasets.drop_if_empty(cid)
        record = await self._datasets.find(cid)
        if record is not None and (record.blocks_held or record.is_complete):
            self._announcing.announce(cid)

    def _patience_ms(self, context: Context) -> int:
        """Returns how long nothing may come: clearly less than the caller waits."""
        remaining_s = context.time_remaining()
        if remaining_s is None:
            return self._defaults.fetch_timeout_ms
        return max(1, min(self._defaults.fetch_timeout_ms, int(remaining_s * 900)))

    async def Stat(
        self, request: storage_pb2.StatRequest, context: Context
    ) -> storage_pb2.StatResponse:
        """Says what this node holds of a dataset."""
        record = await self._datasets.find(convert.to_cid(request.cid))
        if record is None:
            raise DatasetUnknownError("this node holds nothing of it")
        return storage_pb2.StatResponse(dataset=convert.from_record(record))

    async def Exists(
        self, request: storage_pb2.ExistsRequest, context: Context
    ) -> storage_pb2.ExistsResponse:
        """Says whether this node holds all of a dataset."""
        record = await self._datasets.find(convert.to_cid(request.cid))
        return storage_pb2.ExistsResponse(exists=record is not None and record.is_complete)

    async def List(
        self, request: storage_pb2.ListRequest, context: Context
    ) -> storage_pb2.ListResponse:
        """Lists the datasets of this node, newest first."""
        size = page_size(request.page_size)
        below = page_start(request.page_token, token_to_number)
        records = await self._datasets.page(below=below, limit=size + 1)
        shown = records[:size]
        token = number_to_token(shown[-1].number) if len(records) > size else ""
        return storage_pb2.ListResponse(
            datasets=[convert.from_record(record) for record in shown], next_page_token=token
        )

    async def Delete(
        self, request: storage_pb2.DeleteRequest, context: Context
    ) -> storage_pb2.DeleteResponse:
        """Deletes a dataset and stops announcing it."""
        cid = convert.to_cid(request.cid)
        freed_bytes = await self._datasets.delete(cid)
        self._announcing.withdraw(cid)
        return storage_pb2.DeleteResponse(freed_bytes=freed_bytes)

    async def Space(
        self, request: storage_pb2.SpaceRequest, context: Context
    ) -> storage_pb2.SpaceResponse:
        """Says how much room this node has."""
        return convert.from_space(await self._datasets.space())


async def _write_all(
    upload: Upload, requests: AsyncIterator[storage_pb2.PutRequest | memoryview]
) -> None:
    async for request in requests:
        if not isinstance(request, memoryview):
            raise HeaderExpectedError("the header comes once, and then the content")
        if len(request) > MAX_REQUEST_BYTES:
            raise FrameTooLargeError(
                f"a request carries at most {MAX_REQUEST_BYTES} bytes, this one {len(request)}"
            )
        await upload.write(request)


def _range_of(request: storage_pb2.GetRequest, record: DatasetRecord) -> tuple[int, int]:
    size = record.manifest.size_bytes
    if request.offset > size:
        raise RangeNotSatisfiableError(f"the content has {size} bytes", field="offset")
    if not request.length:
        return request.offset, size
    return request.offset, min(size, request.offset + request.length)


async def _write_range(
    tree: Tree, arrivals: Arrivals | None, offset: int, end: int, context: Context
) -> None:
    """Writes bytes [offset, end); reads ahead of the caller, but not far."""
    if offset == end:
        return
    frames: asyncio.Queue[list[memoryview] | None] = asyncio.Queue(READ_AHEAD)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_read_range(tree, arrivals, offset, end, frames))
            while (frame := await frames.get()) is not None:
                await context.write(frame)
    except* Exception as group:  # one cause; the caller must see that, not a group
        raise _only_of(group) from group


async def _read_range(
    tree: Tree,
    arrivals: Arrivals | None,
    offset: int,
    end: int,
    frames: asyncio.Queue[list[memoryview] | None],
) -> None:
    size = tree.shape.block_size_bytes
    step = FRAME_BYTES // size
    first, last = tree.shape.blocks_of(offset, end - offset)
    for start in range(first, last, step):
        stop = min(start + step, last)
        if arrivals is not None:
            await arrivals.wait(start, stop)
        pieces = await tree.read(start, stop)
        await frames.put(list(_cut(pieces, offset - start * size, end - start * size)))
    await frames.put(None)


def _cut(pieces: Iterable[memoryview], low: int, high: int) -> Iterator[memoryview]:
    """Yields bytes [low, high) of joined pieces; both may lie outside."""
    at = 0
    for piece in pieces:
        yield piece[max(low - at, 0) : max(high - at, 0)]
        at += len(piece)


def _only_of(group: BaseExceptionGroup[Exception]) -> Exception:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, Exception) else RuntimeError(str(error))
