"""`SyncPeers` over the streams of the network module: each message after its length (CON-40).

Spec: docs/protocol/chain-network.md, CNW-1, CNW-3, CNW-7.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import grpc

from logos_chain.core.consensus.errors import SyncMalformedError
from logos_chain.core.consensus.sync.messages import LENGTH_BYTES, frame_length
from logos_chain.core.net_ports import AnswerStream
from logos_module.network.services import NetworkServices
from logos_module.network.streams import PeerStream, PeerStreams

MODULE: Final = "chain"
MAX_STREAMS: Final = 16
"""Of peers, at once, from all of them together."""


class FramedStream:
    """`SyncStream` over bytes."""

    def __init__(self, stream: PeerStream) -> None:
        self._stream = stream
        self._read = bytearray()
        """What has come and was not asked for yet: less than the last piece, 1 MiB."""

    @property
    def peer(self) -> str:
        return self._stream.peer_id

    async def send(self, message: bytes) -> None:
        await self._stream.send((len(message).to_bytes(LENGTH_BYTES, "little"), message))

    async def receive(self, limit: int) -> bytes | None:
        if not await self._fill(LENGTH_BYTES):
            if self._read:
                raise SyncMalformedError("a length that is cut off")
            return None
        length = frame_length(bytes(self._read[:LENGTH_BYTES]), limit)
        if not await self._fill(LENGTH_BYTES + length):
            raise SyncMalformedError("a message that is cut off")
        message = bytes(memoryview(self._read)[LENGTH_BYTES : LENGTH_BYTES + length])
        del self._read[: LENGTH_BYTES + length]
        return message

    async def end(self) -> None:
        await self._stream.end()

    async def finish(self) -> None:
        self._read.clear()
        await self._stream.finish()

    async def _fill(self, size: int) -> bool:
        """Reads until so many bytes are here; returns False if the peer ends before."""
        while len(self._read) < size:
            piece = await self._stream.receive()
            if piece is None:
                return False
            self._read += piece
        return True


class NetworkSyncPeers:
    """`SyncPeers` through the network module of this node."""

    def __init__(self, channel: grpc.aio.Channel, protocol: str) -> None:
        """Takes the channel to the network module, and the protocol's id (`sync_protocol`)."""
        self._streams = PeerStreams(channel, MODULE)
        self._services = NetworkServices(channel, MODULE)
        self._protocol = protocol

    @asynccontextmanager
    async def open(self, peer: str) -> AsyncIterator[FramedStream]:
        async with self._streams.open(peer, self._protocol) as stream:
            yield FramedStream(stream)

    async def serve(self, answer: AnswerStream) -> None:
        async def serve_one(stream: PeerStream) -> None:
            await answer(FramedStream(stream))

        await self._streams.listen(self._protocol, serve_one, asyncio.Semaphore(MAX_STREAMS))

    async def connected(self) -> Sequence[str]:
        return await self._services.connected(self._protocol)
