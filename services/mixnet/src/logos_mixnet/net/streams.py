"""Streams of the host: bytes in and out with back-pressure both ways (NET-10).

Towards this node, the host may send what it was granted; a grant follows every
read. Away from it, `write` waits while too much is not yet on the connection.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from logos_base.errors import LogosError
from logos_mixnet.core.errors import (
    DrainingError,
    InvalidProtocolError,
    PeerBannedError,
    PeerUnreachableError,
    ProtocolNotSupportedError,
    ProtocolTakenError,
    StreamResetError,
    StreamUnknownError,
    TooManyStreamsError,
)
from logos_mixnet.core.flow import MAX_FRAME_BYTES, Pool, Window
from logos_mixnet.core.ports import Incoming
from logos_mixnet.net.host import HostBridge

log = logging.getLogger(__name__)

ACCEPT_TIMEOUT_S: Final = 10.0
MAX_PROTOCOL_BYTES: Final = 140
MAX_ANNOUNCED_PER_PEER: Final = 128
"""Streams that one peer may have waiting to be accepted; more are reset."""


class NativeStream:
    """One stream. One reader and one writer at a time."""

    def __init__(self, table: "StreamTable", stream_id: int, peer_id: str) -> None:
        self.stream_id = stream_id
        self.peer_id = peer_id
        self._table = table
        self._host = table.bridge.host
        self._chunks: deque[bytes] = deque()
        self._ended = False
        self._closed = False
        self._error: str | None = None
        self._arrived = asyncio.Event()
        self._incoming = Window(table.incoming_pool)
        self._granted = 0
        self._outgoing = Window(table.outgoing_pool)
        self._unwritten = 0
        self._room = asyncio.Event()
        self._room.set()

    # From the host

    def data(self, chunk: bytes) -> None:
        """Takes bytes from the peer."""
        self._chunks.append(chunk)
        self._granted -= len(chunk)
        self._arrived.set()

    def written(self, count: int) -> None:
        """Takes word that bytes are on the connection."""
        self._unwritten -= count
        if self._unwritten < self._outgoing.size:
            self._room.set()

    def ended(self) -> None:
        """Takes the peer's half-close."""
        self._ended = True
        self._arrived.set()

    def closed(self, error: str | None) -> None:
        """Takes the end of the stream."""
        self._closed = True
        self._error = error
        self._incoming.close()
        self._outgoing.close()
        self._arrived.set()
        self._room.set()

    # From the node

    def start(self) -> None:
        """Lets the peer's first bytes in."""
        self._granted = self._incoming.size
        self._host.stream_grant(self.stream_id, self._granted)

    async def read(self) -> list[bytes]:
        """Waits for pieces, 1 MiB at most; none once the peer has ended its direction."""
        while not self._chunks:
            if self._ended and self._error is None:
                return []
            self._raise_if_reset()
            self._arrived.clear()
            await self._arrived.wait()
        pieces, size = self._take()
        if not self._closed:
            self._grant(size)
        return pieces

    async def write(self, data: bytes | memoryview) -> None:
        """Hands bytes to the host, and returns when there is room for more."""
        if self._closed:
            return
        self._unwritten += len(data)
        self._host.stream_write(self.stream_id, data)
        if self._unwritten >= self._outgoing.size:
            self._outgoing.grow()
        if self._unwritten >= self._outgoing.size:
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
            self._table.dropped(self.stream_id)
            self.closed("reset by this node")

    def _take(self) -> tuple[list[bytes], int]:
        # Several chunks in one gRPC frame: a frame costs more than a copy.
        pieces = [self._chunks.popleft()]
        size = len(pieces[0])
        while self._chunks and size + len(self._chunks[0]) <= MAX_FRAME_BYTES:
            pieces.append(self._chunks.popleft())
            size += len(pieces[-1])
        return pieces, size

    def _grant(self, count: int) -> None:
        if self._granted <= 0:  # the peer has used all it had: give it more
            count += self._incoming.grow()
        self._granted += count
        self._host.stream_grant(self.stream_id, count)

    def _raise_if_reset(self) -> None:
        if self._error is not None:
            raise StreamResetError(f"the stream was reset: {self._error}")


class Listener:
    """Streams of one protocol as peers open them."""

    def __init__(self) -> None:
        self.waiting: dict[int, Incoming] = {}  # as they came; gone when reset meanwhile
        self.arrived = asyncio.Event()
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Incoming]:
        return self

    async def __anext__(self) -> Incoming:
        while not self.waiting:
            if self.closed:
                raise DrainingError("the network module is about to stop")
            self.arrived.clear()
            await self.arrived.wait()
        return self.waiting.pop(next(iter(self.waiting)))


@dataclass(frozen=True, slots=True)
class _Announced:
    stream: NativeStream
    listener: Listener
    expiry: asyncio.TimerHandle


class StreamTable:
    """All streams of one node."""

    def __init__(self, bridge: HostBridge, *, accept_timeout_s: float = ACCEPT_TIMEOUT_S) -> None:
        self.bridge = bridge
        self.incoming_pool = Pool()
        self.outgoing_pool = Pool()
        self._accept_timeout_s = accept_timeout_s
        self._streams: dict[int, NativeStream] = {}
        self._announced: dict[int, _Announced] = {}
        self._announced_by: Counter[str] = Counter()
        self._listeners: dict[str, Listener] = {}
        self._opening: dict[int, tuple[str, asyncio.Future[NativeStream]]] = {}
        self._loop = asyncio.get_running_loop()
        bridge.on("StreamOpened", self._opened)
        bridge.on("StreamIncoming", self._incoming)
        bridge.on("StreamData", self._data)
        bridge.on("StreamWritten", self._written)
        bridge.on("StreamEnded", self._ended)
        bridge.on("StreamClosed", self._closed)

    @contextmanager
    def listen(self, protocol: str) -> Iterator[AsyncIterator[Incoming]]:
        """Lets peers open streams of a protocol for as long as the context is open."""
        check_protocol(protocol)
        if protocol in self._listeners:
            raise ProtocolTakenError(f"another call listens for {protocol}")
        self.bridge.host.accept_streams(protocol)
        listener = self._listeners[protocol] = Listener()
        try:
            yield listener
        finally:
            del self._listeners[protocol]
            self.bridge.host.refuse_streams(protocol)

    async def open(self, peer_id: str, protocol: str) -> NativeStream:
        """Opens a stream to a peer, or raises why it cannot."""
        check_protocol(protocol)
        future: asyncio.Future[NativeStream] = self._loop.create_future()
        request_id = self.bridge.host.open_stream(peer_id, protocol)
        self._opening[request_id] = (peer_id, future)
        return await future

    def accept(self, stream_id: int) -> NativeStream:
        """Takes an announced stream."""
        announced = self._unannounce(stream_id)
        if announced is None:
            raise StreamUnknownError(f"no stream {stream_id} waits to be accepted")
        announced.stream.start()
        return announced.stream

    def dropped(self, stream_id: int) -> None:
        """Notes that this node has reset a stream."""
        self._streams.pop(stream_id, None)

    def close(self) -> None:
        """Ends every listener. Streams go on."""
        for listener in self._listeners.values():
            listener.closed = True
            listener.arrived.set()

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

    def _incoming(self, event: Any) -> None:
        stream = self._streams[event.stream_id] = NativeStream(self, event.stream_id, event.peer_id)
        listener = self._listeners.get(event.protocol)
        if listener is None or self._announced_by[event.peer_id] >= MAX_ANNOUNCED_PER_PEER:
            stream.reset()
            return
        expiry = self._loop.call_later(self._accept_timeout_s, self._expire, event.stream_id)
        self._announced[event.stream_id] = _Announced(stream, listener, expiry)
        self._announced_by[event.peer_id] += 1
        listener.waiting[event.stream_id] = Incoming(event.stream_id, event.peer_id)
        listener.arrived.set()

    def _expire(self, stream_id: int) -> None:
        announced = self._unannounce(stream_id)
        if announced is not None:
            log.info("stream not accepted in time", extra={"peer_id": announced.stream.peer_id})
            announced.stream.reset()

    def _unannounce(self, stream_id: int) -> _Announced | None:
        announced = self._announced.pop(stream_id, None)
        if announced is not None:
            announced.expiry.cancel()
            announced.listener.waiting.pop(stream_id, None)
            peer_id = announced.stream.peer_id
            self._announced_by[peer_id] -= 1
            if not self._announced_by[peer_id]:
                del self._announced_by[peer_id]
        return announced

    def _data(self, event: Any) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.data(event.data)

    def _written(self, event: Any) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.written(event.count)

    def _ended(self, event: Any) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.ended()

    def _closed(self, event: Any) -> None:
        stream = self._streams.pop(event.stream_id, None)
        if stream is not None:
            stream.closed(event.error)
            self._unannounce(event.stream_id)


def check_protocol(protocol: str) -> None:
    """Raises `InvalidProtocolError` unless it is `/` and up to 139 more bytes."""
    size = len(protocol.encode())
    if not (protocol.startswith("/") and 2 <= size <= MAX_PROTOCOL_BYTES):
        raise InvalidProtocolError("a protocol id starts with / and has 2 to 140 bytes")


def open_error(error: str | None, peer_id: str) -> LogosError:
    """Turns the host's word for why a stream was not opened into an error."""
    match error:
        case "not_supported":
            return ProtocolNotSupportedError("the peer does not speak this protocol now")
        case "banned":
            return PeerBannedError(f"peer {peer_id} is banned on this node")
        case "too_many":
            return TooManyStreamsError("this node has as many streams as it may")
        case "reset":
            return StreamResetError("the stream was reset before it stood")
        case _:
            return PeerUnreachableError(f"peer {peer_id} cannot be reached: {error}")
