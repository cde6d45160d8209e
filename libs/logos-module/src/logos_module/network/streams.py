"""Byte streams to single peers, carried by the network module of this node."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc

from logos.network.v1 import streams_pb2
from logos.network.v1.streams_pb2_grpc import StreamsStub
from logos_base.errors import NetworkDeniedError, RemoteFaultError, StreamLostError
from logos_client.channels import write
from logos_module.bulk import BulkField, BulkMethod, Piece
from logos_module.network.denials import denied

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.streams_pb2_grpc import StreamsAsyncStub

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES: Final = 1024 * 1024
LISTEN_RETRY_S: Final = 0.5

_CARRY: Final = BulkMethod(
    BulkField(streams_pb2.CarryRequest), BulkField(streams_pb2.CarryResponse)
)


class PeerStream:
    """One open stream. One reader and one writer at a time."""

    def __init__(self, call: Any, module: str) -> None:
        self._call = call
        self._module = module
        self._has_peer_ended = False
        self.peer_id = ""
        """Who is at the other end, once it is established."""

    async def establish(self, start: streams_pb2.CarryRequest) -> None:
        """Waits until the stream is open."""
        await write(self._call, start)  # a call that has ended says why as it is read
        confirmed = await self._read()
        if not isinstance(confirmed, streams_pb2.CarryResponse):
            raise StreamLostError("the network module sent content on a stream that is not open")
        self.peer_id = confirmed.established.peer_id

    async def send(self, pieces: Sequence[Piece]) -> None:
        """Sends bytes; waits while the peer does not read."""
        for message in messages_of(pieces):
            await self._write(message)

    async def receive(self) -> memoryview | None:
        """Returns the next bytes, or None where the peer has ended its side."""
        response = None if self._has_peer_ended else await self._read()
        if isinstance(response, memoryview):
            return response
        self._has_peer_ended = True
        return None

    async def end(self) -> None:
        """Ends the sending side."""
        await self._write(streams_pb2.CarryRequest(end=True))

    async def finish(self) -> None:
        """Waits until the stream is over; `end` first. What the peer still sends is dropped.

        Leaving the stream earlier may reset it before the last data is delivered.
        """
        while await self.receive() is not None:
            pass
        if await self._response() is not grpc.aio.EOF:
            raise StreamLostError("the network module sent content after the end of a stream")

    async def _write(self, request: streams_pb2.CarryRequest | Sequence[Piece]) -> None:
        if not await write(self._call, request):
            raise StreamLostError("the network module ended the stream")

    async def _read(self) -> streams_pb2.CarryResponse | memoryview:
        response = await self._response()
        if response is grpc.aio.EOF:
            raise StreamLostError("the network module ended the stream")
        return response  # type: ignore[no-any-return]  # what the deserialiser gives

    async def _response(self) -> Any:
        try:
            return await self._call.read()
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                raise denied(self._module, "Streams/Carry") from error
            raise StreamLostError(error.details() or error.code().name) from error
        except grpc.aio.UsageError as error:
            raise StreamLostError(str(error)) from error


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


Serve = Callable[[PeerStream], Awaitable[None]]


class PeerStreams:
    """The streams of one module to and from the peers of its node."""

    def __init__(self, channel: grpc.aio.Channel, module: str) -> None:
        """Takes the channel to the network module, and the name of the module itself."""
        stub: Any = StreamsStub(channel)
        # `Carry` takes pieces and gives views.
        stub.Carry = channel.stream_stream(
            "/logos.network.v1.Streams/Carry", **_CARRY.serializers()
        )
        self._stub: StreamsAsyncStub = stub
        self._module = module

    def open(self, peer: str, protocol: str) -> AbstractAsyncContextManager[PeerStream]:
        """Opens a stream to a peer; reset at the end unless both sides have ended."""
        opening = streams_pb2.CarryRequest.Open(peer_id=peer, protocol=protocol)
        return self._carried(streams_pb2.CarryRequest(open=opening))

    def accept(self, stream_id: int) -> AbstractAsyncContextManager[PeerStream]:
        """Accepts an announced stream; reset at the end unless both sides have ended."""
        acceptance = streams_pb2.CarryRequest.Accept(stream_id=stream_id)
        return self._carried(streams_pb2.CarryRequest(accept=acceptance))

    async def listen(self, protocol: str, serve: Serve, room: asyncio.Semaphore) -> None:
        """Hands the streams of a protocol to `serve`, until cancelled.

        As many at a time as `room` has; the others are reset. What `serve` raises is logged, and
        ends its stream alone.
        """
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    call = self._stub.Listen(streams_pb2.ListenRequest(protocol=protocol))
                    async for announced in call:
                        if announced.stream_id:
                            tasks.create_task(self._serve(announced.stream_id, serve, room))
                except grpc.aio.AioRpcError as error:
                    log.info(
                        "not listening for peers, trying again",
                        extra={"protocol": protocol, "code": error.code().name},
                    )
                await asyncio.sleep(LISTEN_RETRY_S)

    async def _serve(self, stream_id: int, serve: Serve, room: asyncio.Semaphore) -> None:
        if room.locked():
            return  # the network module resets a stream that is not accepted in time
        async with room:
            try:
                async with self.accept(stream_id) as stream:
                    await serve(stream)
            except* (StreamLostError, TimeoutError):
                pass  # the peer has disconnected
            except* NetworkDeniedError as group:
                log.warning("peer not served", extra={"error": str(group.exceptions[0])})
            except* RemoteFaultError as group:
                log.info("peer refused", extra={"error": str(group.exceptions[0])})
            except* Exception:
                log.exception("unexpected error while serving a peer")

    @asynccontextmanager
    async def _carried(self, start: streams_pb2.CarryRequest) -> AsyncIterator[PeerStream]:
        call: Any = self._stub.Carry()
        try:
            stream = PeerStream(call, self._module)
            await stream.establish(start)
            yield stream
        finally:
            call.cancel()
