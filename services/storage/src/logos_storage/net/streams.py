"""A byte stream to one peer, carried by the network module of this node."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc

from logos.network.v1 import streams_pb2

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.streams_pb2_grpc import StreamsAsyncStub


MAX_MESSAGE_BYTES: Final = 512 * 1024

Piece = bytes | memoryview


class StreamLostError(Exception):
    """The stream cannot be opened, or has broken. Nothing says whose fault it is."""


class PeerStream:
    """One open stream. One reader and one writer at a time."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.peer_id = ""

    async def establish(self, start: streams_pb2.CarryRequest) -> None:
        """Waits until the stream stands."""
        await self._write(start)
        self.peer_id = (await self._read()).established.peer_id

    async def send(self, pieces: Iterable[Piece]) -> None:
        """Sends bytes; waits while the peer is behind."""
        for message in messages_of(pieces):
            await self._write(streams_pb2.CarryRequest(data=message))

    async def receive(self) -> bytes | None:
        """Returns the next bytes, or None where the peer has ended its side."""
        response = await self._read()
        return None if response.WhichOneof("kind") == "end" else response.data

    async def end(self) -> None:
        """Says that nothing more will be sent."""
        await self._write(streams_pb2.CarryRequest(end=True))

    async def _write(self, request: streams_pb2.CarryRequest) -> None:
        try:
            await self._call.write(request)
        except (grpc.aio.AioRpcError, grpc.aio.UsageError) as error:
            raise StreamLostError(str(error)) from error

    async def _read(self) -> streams_pb2.CarryResponse:
        try:
            response = await self._call.read()
        except (grpc.aio.AioRpcError, grpc.aio.UsageError) as error:
            raise StreamLostError(str(error)) from error
        if not isinstance(response, streams_pb2.CarryResponse):
            raise StreamLostError("the network module ended the stream")
        return response


def messages_of(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Joins and cuts pieces so that messages are few and none is over 1 MiB."""
    waiting: list[Piece] = []
    size = 0
    for piece in pieces:
        view = memoryview(piece)
        while size + len(view) > MAX_MESSAGE_BYTES:
            room = MAX_MESSAGE_BYTES - size
            waiting.append(view[:room])
            yield b"".join(waiting)
            waiting, size, view = [], 0, view[room:]
        waiting.append(view)
        size += len(view)
    if size:
        yield b"".join(waiting)


@asynccontextmanager
async def opened_stream(
    stub: "StreamsAsyncStub", peer: str, protocol: str
) -> AsyncIterator[PeerStream]:
    """Opens a stream to a peer; reset at the end unless both sides have ended."""
    opening = streams_pb2.CarryRequest.Open(peer_id=peer, protocol=protocol)
    async with _carried(stub, streams_pb2.CarryRequest(open=opening)) as stream:
        yield stream


@asynccontextmanager
async def accepted_stream(stub: "StreamsAsyncStub", stream_id: int) -> AsyncIterator[PeerStream]:
    """Accepts an announced stream; reset at the end unless both sides have ended."""
    acceptance = streams_pb2.CarryRequest.Accept(stream_id=stream_id)
    async with _carried(stub, streams_pb2.CarryRequest(accept=acceptance)) as stream:
        yield stream


@asynccontextmanager
async def _carried(
    stub: "StreamsAsyncStub", start: streams_pb2.CarryRequest
) -> AsyncIterator[PeerStream]:
    call: Any = stub.Carry()
    try:
        stream = PeerStream(call)
        await stream.establish(start)
        yield stream
    finally:
        call.cancel()
