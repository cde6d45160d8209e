"""The exchange over the streams of the network module: both protocols, both sides.

Spec: docs/protocol/storage.md, STO-20 to STO-28 (STO-21, STO-22 manifests; STO-27 limits).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from logos_base.errors import StreamLostError
from logos_module.network.streams import PeerStream, PeerStreams
from logos_storage.core import wire
from logos_storage.core.cid import Cid
from logos_storage.core.ports import Consumer

MAX_STREAMS: Final = 64
"""From all peers together."""
MANIFEST_TIMEOUT_S: Final = 10.0
REQUEST_TIMEOUT_S: Final = 120.0
SEND_TIMEOUT_S: Final = 30.0
IDLE_S: Final = 2.0
"""After this long without a request a peer counts as idle."""


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

    def __init__(self, streams: PeerStreams) -> None:
        self._streams = streams

    @asynccontextmanager
    async def connect(self, peer: str, *, limit_bytes: int) -> AsyncIterator[StreamProvider]:
        async with self._streams.open(peer, wire.EXCHANGE_PROTOCOL) as stream:
            yield StreamProvider(stream, limit_bytes)

    async def manifest(self, peer: str, cid: Cid) -> bytes | None:
        async with self._streams.open(peer, wire.MANIFEST_PROTOCOL) as stream:
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

    def __init__(self, streams: PeerStreams) -> None:
        self._streams = streams
        self._room = asyncio.Semaphore(MAX_STREAMS)

    async def serve_manifests(self, find: Callable[[Cid], Awaitable[bytes | None]]) -> None:
        """Answers requests for manifests with what `find` returns, until cancelled."""

        async def serve(stream: PeerStream) -> None:
            async with asyncio.timeout(MANIFEST_TIMEOUT_S):
                await _answer_manifest(stream, find)

        await self._streams.listen(wire.MANIFEST_PROTOCOL, serve, self._room)

    async def serve_blocks(self, serve: Callable[[Consumer], Awaitable[None]]) -> None:
        """Hands every stream for blocks to `serve`, until cancelled."""
        await self._streams.listen(
            wire.EXCHANGE_PROTOCOL, lambda stream: serve(StreamConsumer(stream)), self._room
        )


async def _answer_manifest(
    stream: PeerStream, find: Callable[[Cid], Awaitable[bytes | None]]
) -> None:
    raw = await _message(stream, wire.manifest_request_reader())
    if raw is None:
        return
    found = await find(wire.decode_manifest_request(raw))
    await stream.send((wire.encode_manifest_response(found),))
    await stream.end()
    await stream.finish()


async def _message(stream: PeerStream, reader: wire.MessageReader) -> bytes | None:
    """Receives one message; None if the peer ends the stream before it is whole."""
    while (data := await stream.receive()) is not None:
        raw = reader.feed(data)
        if raw is not None:
            return raw
    return None
