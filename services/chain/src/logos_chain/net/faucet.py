"""`FaucetPeers` over the streams of the network module, and the serving of them (FAU-2, FAU-3)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from logos_base.errors import StreamLostError
from logos_chain.core.faucet import (
    MAX_ANSWER_BYTES,
    PROTOCOL,
    REQUEST_BYTES,
    FaucetAnswerError,
)
from logos_module.network.services import NetworkServices
from logos_module.network.streams import PeerStream, PeerStreams

MAX_STREAMS: Final = 8
TIMEOUT_S: Final = 30.0
"""A payment has a proof, which waits for those of leadership."""

Answer = Callable[[bytes], Awaitable[bytes | None]]
"""Returns the answer to a request; None: it gets none."""


class NetworkFaucets:
    """`FaucetPeers`."""

    def __init__(self, streams: PeerStreams, services: NetworkServices) -> None:
        self._streams = streams
        self._services = services

    async def find(self, limit: int) -> list[str]:
        return list(await self._services.find(PROTOCOL))[:limit]

    async def ask(self, peer: str, request: bytes) -> bytes:
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._streams.open(peer, PROTOCOL) as stream,
            ):
                await stream.send((request,))
                await stream.end()
                return await _whole(stream, MAX_ANSWER_BYTES)
        except (StreamLostError, TimeoutError) as error:
            raise FaucetAnswerError(f"the faucet of {peer} does not answer") from error

    async def serve(self, answer: Answer) -> None:
        """Serves the requests of peers, and offers it to them, until cancelled."""

        async def serve_one(stream: PeerStream) -> None:
            async with asyncio.timeout(TIMEOUT_S):
                answered = await answer(await _whole(stream, REQUEST_BYTES))
                if answered is None:
                    return  # the stream is reset
                await stream.send((answered,))
                await stream.end()
                await stream.finish()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._services.offer(PROTOCOL))
            tasks.create_task(
                self._streams.listen(PROTOCOL, serve_one, asyncio.Semaphore(MAX_STREAMS))
            )


async def _whole(stream: PeerStream, limit: int) -> bytes:
    """Returns what a peer sends until it ends its side; at most one byte over a limit."""
    found = b""
    while len(found) <= limit and (data := await stream.receive()) is not None:
        found += bytes(data[: limit + 1 - len(found)])
    return found
