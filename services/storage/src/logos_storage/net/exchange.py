"""The exchange over the streams of the network module: both protocols, both sides.

Spec: docs/protocol/storage.md, STO-20 to STO-28 (STO-21, STO-22 manifests; STO-27 limits).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import streams_pb2
from logos_base.errors import RemoteFaultError
from logos_storage.core import wire
from logos_storage.core.cid import Cid
from logos_storage.core.errors import NetworkDeniedError, StreamLostError
from logos_storage.core.ports import Consumer
from logos_storage.net.streams import PeerStream, accepted_stream, opened_stream

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.streams_pb2_grpc import StreamsAsyncStub

log = logging.getLogger(__name__)

MAX_STREAMS: Final = 64
"""From all peers together."""
LISTEN_RETRY_S: Final = 0.5
MANIFEST_TIMEOUT_S: Final = 10.0
REQUEST_TIMEOUT_S: Final = 120.0
SEND_TIMEOUT_S: Final = 30.0
IDLE_S: Final = 2.0
"""After this long without a request a peer counts as idle."""

Serve = Callable[[PeerStream], Awaitable[None]]


class StreamProvider:
    """`Provider` over a stream of the block exchange."""

    def __init__(self, stream: PeerStream, limit_bytes: int) -> None:
        self._stream = stream
        self._limit_bytes = limit_bytes

    async def request(self, request: wire.WantBlocks) -> None:
        await self._stream.send((wire.encode_request(request),))

    async def responses(self) -> AsyncIterator[wire.Response]:
        reader = wire.FrameReader(wire.TYPE_RESPONSE, self._limit_bytes)
        while (data := await self._stream.receive()) is not None:
            for body in reader.feed(data):
                yield wire.Response(wire.response_request_id(body), body)


class StreamExchange:
    """`Exchange` over the streams of the network module."""

    def __init__(self, stub: "StreamsAsyncStub") -> None:
        self._stub = stub

    @asynccontextmanager
    async def connect(self, peer: str, *, limit_bytes: int) -> AsyncIterator[StreamProvider]:
        async with opened_stream(self._stub, peer, wire.EXCHANGE_PROTOCOL) as stream:
            yield StreamProvider(stream, limit_bytes)

    async def manifest(self, peer: str, cid: Cid) -> bytes | None:
        async with opened_stream(self._stub, peer, wire.MANIFEST_PROTOCOL) as stream:
            await stream.send((wire.encode_manifest_request(cid),))
            await stream.end()
            raw = await _message(stream, wire.manifest_response_reader())
            if raw is None:
                raise StreamLostError("the peer ended the stream before it answered")
            return wire.decode_manifest_response(raw)


class StreamConsumer:
    """`Consumer` over a stream of the block exchange."""

    def __init__(self, stream: PeerStream) -> None:
        self._stream = stream

    async def requests(self, idle: Callable[[], Awaitable[None]]) -> AsyncIterator[wire.WantBlocks]:
        reader = wire.FrameReader(wire.TYPE_REQUEST, wire.MAX_REQUEST_BYTES)
        while True:
            async with asyncio.timeout(REQUEST_TIMEOUT_S), asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(_after_a_while(idle))
                data = await self._stream.receive()
                waiting.cancel()
            if data is None:
                return
            for body in reader.feed(data):
                yield wire.decode_request(body)

    async def respond(
        self, request: wire.WantBlocks, leaf_count: int, blocks: Sequence[wire.ServedBlock]
    ) -> None:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await self._stream.send(
                wire.encode_response(request.request_id, request.tree_cid, leaf_count, blocks)
            )

    async def end(self) -> None:
        """Says that nothing more will be sent."""
        await self._stream.end()


async def _after_a_while(idle: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(IDLE_S)
    await idle()


class ExchangeListener:
    """Takes the peers' streams of both protocols."""

    def __init__(self, stub: "StreamsAsyncStub") -> None:
        self._stub = stub
        self._room = asyncio.Semaphore(MAX_STREAMS)

    async def serve_manifests(self, find: Callable[[Cid], Awaitable[bytes | None]]) -> None:
        """Answers requests for manifests with what `find` returns, until cancelled."""

        async def serve(stream: PeerStream) -> None:
            async with asyncio.timeout(MANIFEST_TIMEOUT_S):
                await _answer_manifest(stream, find)

        await self._listen(wire.MANIFEST_PROTOCOL, serve)

    async def serve_blocks(self, serve: Callable[[Consumer], Awaitable[None]]) -> None:
        """Hands every stream for blocks to `serve`, until cancelled."""
        await self._listen(wire.EXCHANGE_PROTOCOL, lambda stream: serve(StreamConsumer(stream)))

    async def _listen(self, protocol: str, serve: Serve) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    call = self._stub.Listen(streams_pb2.ListenRequest(protocol=protocol))
                    async for announced in call:
                        if announced.stream_id:
                            tasks.create_task(self._serve(announced.stream_id, serve))
                except grpc.aio.AioRpcError as error:
                    log.info(
                        "not listening for peers, trying again",
                        extra={"protocol": protocol, "code": error.code().name},
                    )
                await asyncio.sleep(LISTEN_RETRY_S)

    async def _serve(self, stream_id: int, serve: Serve) -> None:
        if self._room.locked():
            return  # the network module resets a stream that is not accepted in time
        async with self._room:
            try:
                async with accepted_stream(self._stub, stream_id) as stream:
                    await serve(stream)
            except* (StreamLostError, TimeoutError):
                pass  # the peer has disconnected
            except* NetworkDeniedError as group:
                log.warning("peer not served", extra={"error": str(group.exceptions[0])})
            except* RemoteFaultError as group:
                log.info("peer refused", extra={"error": str(group.exceptions[0])})
            except* Exception:
                log.exception("unexpected error while serving a peer")


async def _answer_manifest(
    stream: PeerStream, find: Callable[[Cid], Awaitable[bytes | None]]
) -> None:
    raw = await _message(stream, wire.manifest_request_reader())
    if raw is None:
        return
    found = await find(wire.decode_manifest_request(raw))
    await stream.send((wire.encode_manifest_response(found),))
    await stream.end()
    while await stream.receive() is not None:
        pass  # until the peer has ended its side too; the stream would be reset before


async def _message(stream: PeerStream, reader: wire.MessageReader) -> bytes | None:
    """Receives one message; None if the peer ends the stream before it is whole."""
    while (data := await stream.receive()) is not None:
        raw = reader.feed(data)
        if raw is not None:
            return raw
    return None
