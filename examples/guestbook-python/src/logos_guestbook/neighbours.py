"""The modules that the guestbook calls: storage, and tally, which is written in Go."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

import grpc
from tally.v1 import tally_pb2, tally_pb2_grpc

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_guestbook.errors import NeighbourAwayError

TIMEOUT_S: Final = 10.0
"""For a call, and for the module that is called to be READY."""

Connect = Callable[[str], Awaitable[grpc.aio.Channel]]
"""`ModuleContext.channel`."""


class Storage:
    """Texts, by CID."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def put(self, text: str) -> str:
        """Stores a text; returns its CID."""
        header = storage_pb2.PutRequest.Header(filename="entry.txt", mimetype="text/plain")
        requests = [
            storage_pb2.PutRequest(header=header),
            storage_pb2.PutRequest(data=text.encode()),
        ]

        def each() -> Iterator[storage_pb2.PutRequest]:
            yield from requests

        async with _channel(self._connect, "storage") as channel:
            stub = storage_pb2_grpc.StorageStub(channel)
            response = await stub.Put(each(), timeout=TIMEOUT_S)
        return response.dataset.cid

    async def get(self, cid: str) -> str:
        """Returns the text with a CID."""
        request = storage_pb2.GetRequest(cid=cid)
        async with _channel(self._connect, "storage") as channel:
            stub = storage_pb2_grpc.StorageStub(channel)
            parts = [part.data async for part in stub.Get(request, timeout=TIMEOUT_S)]
        return b"".join(parts).decode(errors="replace")


class Tally:
    """Counts words."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def words_of(self, request: tally_pb2.CountRequest) -> int:
        """Returns the words of a text, or of a file in storage."""
        async with _channel(self._connect, "tally") as channel:
            stub = tally_pb2_grpc.TallyStub(channel)
            response = await stub.Count(request, timeout=TIMEOUT_S)
        return response.words


@asynccontextmanager
async def _channel(connect: Connect, module: str) -> AsyncIterator[grpc.aio.Channel]:
    """Gives the channel to a module; what fails since it is away may be tried again."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            channel = await connect(module)
        yield channel
    except TimeoutError as error:
        raise NeighbourAwayError(f"{module} is not READY") from error
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        raise NeighbourAwayError(f"{module} does not answer: {error.details()}") from error
