"""Puts and gets of content that nobody has put before, timed."""

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any, Final

import grpc
from benchmarks.yardsticks import pieces

from logos.storage.v1 import storage_pb2 as pb
from logos.storage.v1 import storage_pb2_grpc as pb_grpc
from logos_module.bulk import BulkField, BulkMethod
from logos_module.errors import reason_of

PATIENCE_S: Final = 600.0
BUSY_RETRY_S: Final = 0.5
_GET: Final = BulkMethod(response=BulkField(pb.GetResponse))


def _requests(size_bytes: int, content: Iterator[bytes]) -> Iterator[pb.PutRequest]:
    yield pb.PutRequest(header=pb.PutRequest.Header(size_hint_bytes=size_bytes))
    for piece in content:
        yield pb.PutRequest(data=piece)


async def put(channel: grpc.aio.Channel, size_bytes: int) -> tuple[str, float]:
    """Puts new content; returns its CID and the rate in MB/s."""
    stub = pb_grpc.StorageStub(channel)
    content = pieces(size_bytes, os.urandom(8))
    began = time.perf_counter()
    response = await stub.Put(_requests(size_bytes, content), timeout=PATIENCE_S)
    took_s = time.perf_counter() - began
    assert response.dataset.size_bytes == size_bytes
    return response.dataset.cid, size_bytes / 1e6 / took_s


async def get(
    channel: grpc.aio.Channel, cid: str, size_bytes: int, *, local_only: bool = False
) -> float:
    """Gets content; returns the rate in MB/s."""
    method: Any = channel.unary_stream(
        "/logos.storage.v1.Storage/Get",
        request_serializer=pb.GetRequest.SerializeToString,
        **_GET.serializers(),
    )
    received = 0
    began = time.perf_counter()
    request = pb.GetRequest(cid=cid, local_only=local_only)
    async for response in method(request, timeout=PATIENCE_S):
        if isinstance(response, memoryview):
            received += len(response)
    took_s = time.perf_counter() - began
    assert received == size_bytes
    return size_bytes / 1e6 / took_s


async def delete(channel: grpc.aio.Channel, cid: str) -> None:
    """Deletes content from one node; waits until nobody is served from it any longer."""
    request = pb.DeleteRequest(cid=cid)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await pb_grpc.StorageStub(channel).Delete(request)
            except grpc.aio.AioRpcError as error:
                if reason_of(error) != "DATASET_BUSY":
                    raise
                await asyncio.sleep(BUSY_RETRY_S)
            else:
                return
