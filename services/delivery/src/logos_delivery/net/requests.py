"""`Requests` over the streams of the network module: one message each way, each with its length."""

import asyncio
from typing import Final

from logos_base.errors import StreamLostError
from logos_delivery.core.errors import PeerFailedError
from logos_delivery.core.light.errors import LightFrameError
from logos_delivery.core.light.framing import LARGE_BYTES, FrameReader, frame
from logos_delivery.core.ports import Answering
from logos_module.network.streams import PeerStream, PeerStreams

MAX_STREAMS: Final = 64
"""Of one protocol, from all peers together."""
SERVE_TIMEOUT_S: Final = 30.0


class StreamRequests:
    """`Requests`; a stream carries one request and its response."""

    def __init__(self, streams: PeerStreams, *, max_bytes: int = LARGE_BYTES) -> None:
        self._streams = streams
        self._max_bytes = max_bytes

    async def ask(self, peer: str, protocol: str, request: bytes, *, timeout_s: float) -> bytes:
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._streams.open(peer, protocol) as stream,
            ):
                await stream.send((frame(request),))
                response = await self._message(stream)
        except (StreamLostError, TimeoutError, LightFrameError) as error:
            why = str(error) or f"no answer within {timeout_s:g} s"
            raise PeerFailedError(f"{peer} does not answer on {protocol}: {why}") from error
        if response is None:
            raise PeerFailedError(f"{peer} ended {protocol} without an answer")
        return response

    async def tell(self, peer: str, protocol: str, message: bytes, *, timeout_s: float) -> None:
        """Sends a message that is not answered; raises `PeerFailedError`."""
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._streams.open(peer, protocol) as stream,
            ):
                await stream.send((frame(message),))
                await stream.end()
                await stream.finish()
        except (StreamLostError, TimeoutError) as error:
            raise PeerFailedError(f"{peer} does not take {protocol}: {error}") from error

    async def serve(self, protocol: str, answer: Answering) -> None:
        async def serve_one(stream: PeerStream) -> None:
            async with asyncio.timeout(SERVE_TIMEOUT_S):
                request = await self._message(stream)
                if request is None:
                    return
                response = await answer(stream.peer_id, request)
                if response is not None:
                    await stream.send((frame(response),))
                await stream.end()
                await stream.finish()

        await self._streams.listen(protocol, serve_one, asyncio.Semaphore(MAX_STREAMS))

    async def _message(self, stream: PeerStream) -> bytes | None:
        """Receives one message; None if the peer ends without one."""
        reader = FrameReader(self._max_bytes)
        while (data := await stream.receive()) is not None:
            found = reader.feed(bytes(data))
            if found:
                return found[0]
        reader.end()
        return None
