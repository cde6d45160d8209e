"""A byte stream to one peer, carried by the network module of this node."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc

from logos.network.v1 import streams_pb2
from logos.network.v1.streams_pb2_grpc import StreamsStub
from logos_client.channels import write
from logos_module.bulk import BulkField, BulkMethod, Piece
from logos_storage.core.errors import StreamLostError
from logos_storage.net.denials import denied

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.streams_pb2_grpc import StreamsAsyncStub


MAX_MESSAGE_BYTES: Final = 1024 * 1024

_CARRY: Final = BulkMethod(
    BulkField(streams_pb2.CarryRequest), BulkField(streams_pb2.CarryResponse)
)


def streams_of(channel: grpc.aio.Channel) -> "StreamsAsyncStub":
    """Returns the network module's streams; `Carry` takes pieces and gives views."""
    stub: Any = StreamsStub(channel)
    stub.Carry = channel.stream_stream("/logos.network.v1.Streams/Carry", **_CARRY.serializers())
    return stub  # type: ignore[no-any-return]  # the asynchronous kind exists in the stubs alone


class PeerStream:
    """One open stream. One reader and one writer at a time."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def establish(self, start: streams_pb2.CarryRequest) -> None:
        """Waits until the stream is open."""
        await write(self._call, start)  # a call that has ended says why as it is read
        if not isinstance(await self._read(), streams_pb2.CarryResponse):
            raise StreamLostError("the network module sent content on a stream that is not open")

    async def send(self, pieces: Sequence[Piece]) -> None:
        """Sends bytes; waits while the peer does not read."""
        for message in messages_of(pieces):
            await self._write(message)

    async def receive(self) -> memoryview | None:
        """Returns the next bytes, or None where the peer has ended its side."""
        response = await self._read()
        return response if isinstance(response, memoryview) else None

    async def end(self) -> None:
        """Ends the sending side."""
        await self._write(streams_pb2.CarryRequest(end=True))

    async def _write(self, request: streams_pb2.CarryRequest | Sequence[Piece]) -> None:
        if not await write(self._call, request):
            raise StreamLostError("the network module ended the stream")

    async def _read(self) -> streams_pb2.CarryResponse | memoryview:
        try:
            response = await self._call.read()
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                raise denied("Streams/Carry") from error
            raise StreamLostError(str(error)) from error
        except grpc.aio.UsageError as error:
            raise StreamLostError(str(error)) from error
        if response is grpc.aio.EOF:
            raise StreamLostError("the network module ended the stream")
        return response  # type: ignore[no-any-return]  # what the deserialiser gives


def messages_of(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Joins and cuts pieces into as few messages as possible, all of about one size."""
    total = sum(len(piece) for piece in pieces)
    count = max(1, -(-total // MAX_MESSAGE_BYTES))
    limit = -(-total // count)
    waiting: list[Piece] = []
    size = 0
    for piece in pieces:
        view = memoryview(piece)
        while size + len(view) > limit:
            room = limit - size
            waiting.append(view[:room])
            yield waiting
            waiting, size, view = [], 0, view[room:]
        waiting.append(view)
        size += len(view)
    if size:
        yield waiting


def opened_stream(
    stub: "StreamsAsyncStub", peer: str, protocol: str
) -> AbstractAsyncContextManager[PeerStream]:
    """Opens a stream to a peer; reset at the end unless both sides have ended."""
    opening = streams_pb2.CarryRequest.Open(peer_id=peer, protocol=protocol)
    return _carried(stub, streams_pb2.CarryRequest(open=opening))


def accepted_stream(
    stub: "StreamsAsyncStub", stream_id: int
) -> AbstractAsyncContextManager[PeerStream]:
    """Accepts an announced stream; reset at the end unless both sides have ended."""
    acceptance = streams_pb2.CarryRequest.Accept(stream_id=stream_id)
    return _carried(stub, streams_pb2.CarryRequest(accept=acceptance))


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
