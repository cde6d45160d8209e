"""Streams of the host: bytes in and out with back-pressure both ways (NET-10).

Towards this node, the host may send what it was granted; a grant follows every
read. Away from it, `write` waits while too much is not yet on the connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from logos_base.errors import LogosError
from logos_mixnet.core.errors import (
    PeerBannedError,
    PeerUnreachableError,
    ProtocolNotSupportedError,
    StreamResetError,
    TooManyStreamsError,
)
from logos_mixnet.core.flow import MAX_FRAME_BYTES, Inflow, Outflow, Pool
from logos_mixnet.core.streams import Effect, Streams
from logos_mixnet.net.host import HostBridge
from logos_module.driver import Driver


class NativeStream:
    """One stream. One reader and one writer at a time."""

    def __init__(self, streams: "NativeStreams", stream_id: int, peer_id: str) -> None:
        self.stream_id = stream_id
        self.peer_id = peer_id
        self._streams = streams
        self._host = streams.bridge.host
        self._chunks: deque[bytes] = deque()
        self._ended = False
        self._closed = False
        self._error: str | None = None
        self._arrived = asyncio.Event()
        self._inflow = Inflow(streams.incoming_pool)
        self._outflow = Outflow(streams.outgoing_pool)
        self._room = asyncio.Event()
        self._room.set()

    # From the host

    def data(self, chunk: bytes) -> None:
        """Takes bytes from the peer."""
        self._chunks.append(chunk)
        self._inflow.arrived(len(chunk))
        self._arrived.set()

    def written(self, count: int) -> None:
        """Takes note of bytes that are on the connection."""
        self._outflow.written(count)
        if not self._outflow.is_full:
            self._room.set()

    def ended(self) -> None:
        """Takes the peer's half-close."""
        self._ended = True
        self._arrived.set()

    def closed(self, error: str | None) -> None:
        """Takes the end of the stream."""
        self._closed = True
        self._error = error
        self._inflow.close()
        self._outflow.close()
        self._arrived.set()
        self._room.set()

    # From the node

    def start(self) -> None:
        """Lets the peer's first bytes in."""
        if not self._closed:
            self._host.stream_grant(self.stream_id, self._inflow.start())

    async def read(self, most: int = MAX_FRAME_BYTES) -> list[bytes]:
        """Waits for pieces, at most so many bytes; none once the peer has ended its direction."""
        while not self._chunks:
            if self._ended and self._error is None:
                return []
            self._raise_if_reset()
            self._arrived.clear()
            await self._arrived.wait()
        pieces, size = self._take(most)
        if not self._closed:
            count = self._inflow.read(size, may_grow=most >= MAX_FRAME_BYTES)
            self._host.stream_grant(self.stream_id, count)
        return pieces

    async def write(self, data: bytes | memoryview) -> None:
        """Hands bytes to the host, and returns when there is room for more."""
        if self._closed:
            return
        self._host.stream_write(self.stream_id, data)
        self._outflow.sent(len(data))
        if self._outflow.is_full:
            self._room.clear()
            await self._room.wait()

    def close_write(self) -> None:
        """Ends this node's direction."""
        if not self._closed:
            self._host.stream_close_write(self.stream_id)

    async def wait_closed(self) -> None:
        """Waits until both directions have ended."""
        while not self._closed:
            self._arrived.clear()
            await self._arrived.wait()
        self._raise_if_reset()

    def reset(self) -> None:
        """Drops the stream, unless it has ended."""
        if not self._closed:
            self._host.stream_reset(self.stream_id)
            self._streams.dropped(self.stream_id)
            self.closed("reset by this node")

    def _take(self, most: int) -> tuple[list[bytes], int]:
        # Several chunks in one gRPC frame: a frame costs more than a copy.
        pieces = [self._chunks.popleft()]
        size = len(pieces[0])
        while self._chunks and size + len(self._chunks[0]) <= most:
            pieces.append(self._chunks.popleft())
            size += len(pieces[-1])
        return pieces, size

    def _raise_if_reset(self) -> None:
        if self._error is not None:
            raise StreamResetError(f"the stream was reset: {self._error}")


class NativeStreams:
    """`StreamHost` over libp2p."""

    def __init__(self, bridge: HostBridge) -> None:
        self.bridge = bridge
        self.incoming_pool = Pool()
        self.outgoing_pool = Pool()
        self.listen = bridge.host.accept_streams
        self.unlisten = bridge.host.refuse_streams
        self._streams: dict[int, NativeStream] = {}
        self._opening: dict[int, tuple[str, asyncio.Future[NativeStream]]] = {}

    def deliver(self, machine: Streams, driver: Driver[Effect]) -> None:
        """Gives a machine the streams that peers open, and each stream its bytes."""

        def incoming(event: Any) -> None:
            stream = NativeStream(self, event.stream_id, event.peer_id)
            self._streams[event.stream_id] = stream
            driver.put(machine.opened, event.stream_id, event.peer_id, event.protocol)

        def closed(event: Any) -> None:
            stream = self._streams.pop(event.stream_id, None)
            if stream is not None:
                stream.closed(event.error)
                driver.put(machine.removed, event.stream_id)

        self.bridge.on("StreamIncoming", incoming)
        self.bridge.on("StreamClosed", closed)
        self.bridge.on("StreamOpened", self._opened)
        self._on("StreamData", lambda stream, event: stream.data(event.data))
        self._on("StreamWritten", lambda stream, event: stream.written(event.count))
        self._on("StreamEnded", lambda stream, _event: stream.ended())

    async def open(self, peer_id: str, protocol: str) -> NativeStream:
        future: asyncio.Future[NativeStream] = asyncio.get_running_loop().create_future()
        request_id = self.bridge.host.open_stream(peer_id, protocol)
        self._opening[request_id] = (peer_id, future)
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.exception() is None:  # opened at that moment
                future.result().reset()
            raise

    def accept(self, stream_id: int) -> NativeStream:
        stream = self._streams[stream_id]
        stream.start()
        return stream

    def reset(self, stream_id: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.reset()

    def dropped(self, stream_id: int) -> None:
        """Takes note that this node has reset a stream."""
        self._streams.pop(stream_id, None)

    def _opened(self, event: Any) -> None:
        peer_id, future = self._opening.pop(event.request_id)
        if event.stream_id is None:
            if not future.done():
                future.set_exception(open_error(event.error, peer_id))
            return
        stream = self._streams[event.stream_id] = NativeStream(self, event.stream_id, peer_id)
        if future.done():  # the caller has gone away meanwhile
            stream.reset()
            return
        stream.start()
        future.set_result(stream)

    def _on(self, name: str, handle: Callable[[NativeStream, Any], None]) -> None:
        def handle_event(event: Any) -> None:
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                handle(stream, event)

        self.bridge.on(name, handle_event)


def open_error(error: str | None, peer_id: str) -> LogosError:
    """Turns the host's reason for not opening a stream into an error."""
    match error:
        case "not_supported":
            return ProtocolNotSupportedError("the peer does not speak this protocol now")
        case "banned":
            return PeerBannedError(f"peer {peer_id} is banned on this node")
        case "too_many":
            return TooManyStreamsError("this node has as many streams as it may")
        case "reset":
            return StreamResetError("the stream was reset before it was open")
        case _:
            return PeerUnreachableError(f"peer {peer_id} cannot be reached: {error}")
