"""A storage that has an answer to every call: for tests of commands."""

from collections.abc import Iterator
from typing import Any

from logos.storage.v1 import storage_pb2, storage_pb2_grpc

CID = "zDvZRwzm5JgJH7RBLQ9Zx4w6rzTzPr4QNgyjZJxkjh9WHw3rLC2Z"


class StorageAnswers(storage_pb2_grpc.StorageServicer):
    """Knows one dataset of one byte, and its fetch."""

    dataset = storage_pb2.Dataset(cid=CID, size_bytes=1, block_count=1)
    fetched = storage_pb2.FetchProgress(
        cid=CID, state=storage_pb2.FETCH_STATE_DONE, dataset=dataset, held_bytes=1, total_bytes=1
    )

    def Put(self, requests: Iterator[Any], context: Any) -> Any:  # noqa: N802
        for _ in requests:
            pass
        return storage_pb2.PutResponse(dataset=self.dataset)

    def Get(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield storage_pb2.GetResponse(dataset=self.dataset)
        yield storage_pb2.GetResponse(data=b"x")

    def Stat(self, request: Any, context: Any) -> Any:  # noqa: N802
        return storage_pb2.StatResponse(dataset=self.dataset)

    def Exists(self, request: Any, context: Any) -> Any:  # noqa: N802
        return storage_pb2.ExistsResponse(exists=True)

    def List(self, request: Any, context: Any) -> Any:  # noqa: N802
        return storage_pb2.ListResponse(datasets=[self.dataset])

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        return storage_pb2.DeleteResponse(freed_bytes=1)

    def Space(self, request: Any, context: Any) -> Any:  # noqa: N802
        return storage_pb2.SpaceResponse(quota_bytes=2, used_bytes=1)

    def Fetch(self, request: Any, context: Any) -> Any:  # noqa: N802
        return storage_pb2.FetchResponse(progress=self.fetched)

    def WatchFetch(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield storage_pb2.WatchFetchResponse(progress=self.fetched)

    def ListFetches(self, request: Any, context: Any) -> Any:  # noqa: N802
        return storage_pb2.ListFetchesResponse(fetches=[self.fetched])

    def CancelFetch(self, request: Any, context: Any) -> Any:  # noqa: N802
        return storage_pb2.CancelFetchResponse(progress=self.fetched)
