"""`MessageStreams` over those of the network module: each message with its length before it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from logos_base.errors import StreamLostError
from logos_delivery.core.errors import PeerFailedError
from logos_delivery.core.light.framing import FrameReader, frame
from logos_delivery.core.ports import MessageStream
from logos_module.network.streams import PeerStream, PeerStreams

OPEN_TIMEOUT_S: Final = 5.0


class FramedStream:
    """`MessageStream` over bytes."""

    def __init__(self, stream: PeerStream, max_bytes: int) -> None:
        self._stream = stream
        self._reader = FrameReader(max_bytes)
        self._waiting: deque[bytes] = deque()

    @property
    def peer_id(self) -> str:
        return self._stream.peer_id

    async def send(self, message: bytes) -> None:
        try:
            await self._stream.send((frame(message),))
        except StreamLostError as error:
            raise PeerFailedError(f"the stream to {self.peer_id} has broken: {error}") from error

    async def receive(self) -> bytes | None:
        while not self._waiting:
            try:
                data = await self._stream.receive()
            except StreamLostError as error:
                text = f"the stream to {self.peer_id} has broken: {error}"
                raise PeerFailedError(text) from error
            if data is None:
                self._reader.end()
                return None
            self._waiting.extend(self._reader.feed(bytes(data)))
        return self._waiting.popleft()

    async def end(self) -> None:
        try:
            await self._stream.end()
        except StreamLostError as error:
            raise PeerFailedError(f"the stream to {self.peer_id} has broken: {error}") from error


class NetworkMessageStreams:
    """`MessageStreams`."""

    def __init__(self, streams: PeerStreams) -> None:
        self._streams = streams

    @asynccontextmanager
    async def open(self, peer: str, protocol: str, max_bytes: int) -> AsyncIterator[MessageStream]:
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    stream = await stack.enter_async_context(self._streams.open(peer, protocol))
            except (StreamLostError, TimeoutError) as error:
                raise PeerFailedError(f"{peer} cannot be reached for {protocol}") from error
            yield FramedStream(stream, max_bytes)

    async def serve(
        self,
        protocol: str,
        take: Callable[[MessageStream], Awaitable[None]],
        max_bytes: int,
        max_streams: int,
    ) -> None:
        async def take_one(stream: PeerStream) -> None:
            await take(FramedStream(stream, max_bytes))

        await self._streams.listen(protocol, take_one, asyncio.Semaphore(max_streams))
