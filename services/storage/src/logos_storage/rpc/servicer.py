"""Serves `logos.storage.v1.Storage`.

The contract lists the errors of each method; here they are only raised.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import ClassVar, Final

from logos.storage.v1 import storage_pb2
from logos.storage.v1.storage_pb2_grpc import StorageServicer as Contract
from logos_module.bulk import BulkField, BulkMethod
from logos_module.contexts import Context
from logos_module.marks import mark_in
from logos_module.pages import number_to_token, page_size, page_start, token_to_number
from logos_storage.core.errors import DatasetUnknownError, FrameTooLargeError, HeaderExpectedError
from logos_storage.core.ports import Datasets
from logos_storage.operations.delete import Delete
from logos_storage.operations.get import Get
from logos_storage.operations.keep import Keep
from logos_storage.operations.put import Put
from logos_storage.rpc import convert
from logos_storage.rpc.progress import from_progress, to_patience_ms

MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
"""The most content that a request of Put carries."""


class StorageServicer(Contract):
    """One per process; holds no state of its own."""

    bulk: ClassVar[Mapping[str, BulkMethod]] = {
        "Put": BulkMethod(request=BulkField(storage_pb2.PutRequest)),
        "Get": BulkMethod(response=BulkField(storage_pb2.GetResponse)),
    }

    def __init__(
        self,
        datasets: Datasets,
        *,
        put: Put,
        get: Get,
        keep: Keep,
        delete: Delete,
        fetch_timeout_ms: int,
    ) -> None:
        self._datasets = datasets
        self._put = put
        self._get = get
        self._keep = keep
        self._delete = delete
        self._fetch_timeout_ms = fetch_timeout_ms

    async def Put(
        self,
        request_iterator: AsyncIterator[storage_pb2.PutRequest | memoryview],
        context: Context,
    ) -> storage_pb2.PutResponse:
        """Stores content and announces it."""
        first = await anext(aiter(request_iterator), None)
        if not isinstance(first, storage_pb2.PutRequest) or not first.HasField("header"):
            raise HeaderExpectedError("the first request must be the header")
        description = convert.to_description(first.header)
        mark = mark_in(context.invocation_metadata())
        record = await self._put(description, _content_of(request_iterator), mark=mark)
        return storage_pb2.PutResponse(dataset=convert.from_record(record))

    async def Get(  # type: ignore[override]  # writes to the context, yields nothing
        self, request: storage_pb2.GetRequest, context: Context
    ) -> None:
        """Streams content, fetching what this node lacks."""
        patience_ms = self._patience_ms(context)
        mark = mark_in(context.invocation_metadata())
        wanted = convert.to_wanted(request)
        async with self._get(wanted, patience_ms=patience_ms, mark=mark) as content:
            dataset = convert.from_record(content.record)
            dataset.blocks_held = content.blocks_held
            await context.write(storage_pb2.GetResponse(dataset=dataset))
            async for frame in content.frames():
                await context.write(frame)

    def _patience_ms(self, context: Context) -> int:
        """Returns the longest wait for a block: clearly less than the caller's deadline."""
        remaining_s = context.time_remaining()
        if remaining_s is None:
            return self._fetch_timeout_ms
        return max(1, min(self._fetch_timeout_ms, int(remaining_s * 900)))

    async def Stat(
        self, request: storage_pb2.StatRequest, context: Context
    ) -> storage_pb2.StatResponse:
        """Returns what this node holds of a dataset."""
        record = await self._datasets.find(convert.to_cid(request.cid))
        if record is None:
            raise DatasetUnknownError("this node holds nothing of this dataset; `get` fetches it")
        return storage_pb2.StatResponse(dataset=convert.from_record(record))

    async def Exists(
        self, request: storage_pb2.ExistsRequest, context: Context
    ) -> storage_pb2.ExistsResponse:
        """Returns whether this node holds all of a dataset."""
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
        mark = mark_in(context.invocation_metadata())
        freed_bytes = await self._delete(convert.to_cid(request.cid), mark=mark)
        return storage_pb2.DeleteResponse(freed_bytes=freed_bytes)

    async def Space(
        self, request: storage_pb2.SpaceRequest, context: Context
    ) -> storage_pb2.SpaceResponse:
        """Returns how much room this node has."""
        return convert.from_space(await self._datasets.space())

    async def Fetch(
        self, request: storage_pb2.FetchRequest, context: Context
    ) -> storage_pb2.FetchResponse:
        """Fetches a dataset and keeps it, whether or not the caller stays."""
        cid, mark = convert.to_cid(request.cid), mark_in(context.invocation_metadata())
        progress = await self._keep.fetch(cid, to_patience_ms(request), mark=mark)
        return storage_pb2.FetchResponse(progress=from_progress(progress))

    async def WatchFetch(
        self, request: storage_pb2.WatchFetchRequest, context: Context
    ) -> AsyncIterator[storage_pb2.WatchFetchResponse]:
        """Streams how a fetch goes, until it has ended."""
        async with aclosing(self._keep.watch(convert.to_cid(request.cid))) as watched:
            async for progress in watched:
                yield storage_pb2.WatchFetchResponse(progress=from_progress(progress))

    async def ListFetches(
        self, request: storage_pb2.ListFetchesRequest, context: Context
    ) -> storage_pb2.ListFetchesResponse:
        """Lists the fetches that are remembered, newest first."""
        size = page_size(request.page_size)
        below = page_start(request.page_token, token_to_number)
        found = self._keep.page(below=below, limit=size + 1)
        shown = found[:size]
        token = number_to_token(shown[-1].number) if len(found) > size else ""
        return storage_pb2.ListFetchesResponse(
            fetches=[from_progress(progress) for progress in shown], next_page_token=token
        )

    async def CancelFetch(
        self, request: storage_pb2.CancelFetchRequest, context: Context
    ) -> storage_pb2.CancelFetchResponse:
        """Ends a fetch; what came is kept."""
        progress = await self._keep.cancel(convert.to_cid(request.cid))
        return storage_pb2.CancelFetchResponse(progress=from_progress(progress))


async def _content_of(
    requests: AsyncIterator[storage_pb2.PutRequest | memoryview],
) -> AsyncIterator[memoryview]:
    async for request in requests:
        if not isinstance(request, memoryview):
            raise HeaderExpectedError(
                "only the first request may be a header; send content after it"
            )
        if len(request) > MAX_REQUEST_BYTES:
            raise FrameTooLargeError(
                f"a request carries at most {MAX_REQUEST_BYTES} bytes, this one {len(request)}"
            )
        yield request
