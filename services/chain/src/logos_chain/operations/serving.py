"""Answers other nodes that ask for the tip or for blocks.

One block is read at a time, and the next one only when the peer has taken the one before. An answer
has its end after a minute, too; the peer asks again from there. So neither a slow peer
nor one that does not read holds more than one block, or its place for long.

Spec: docs/protocol/chain-network.md, CNW-2 to CNW-5, CNW-8; chain-consensus.md, CON-40 to CON-42.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from logos_chain.core.consensus.sync.messages import (
    MAX_REQUEST_BYTES,
    BlockResponse,
    DownloadRequest,
    EndResponse,
    FailureResponse,
    TipRequest,
    decode_request,
    encode_download,
    encode_tip,
)
from logos_chain.core.consensus.sync.serving import RefusalReason, answer
from logos_chain.core.net_ports import SyncPeers, SyncStream
from logos_chain.operations.served_chain import WholeChain

MAX_OF_ONE_PEER: Final = 2
"""Streams at once."""


@dataclass(frozen=True, slots=True)
class ServingTimes:
    """How long a peer is waited for, in seconds (CNW-4)."""

    request: float = 10.0
    """For its request."""
    block: float = 30.0
    """Until it has taken a block."""
    answer: float = 60.0
    """An answer that has begun so long ago is ended with what was sent."""
    end: float = 5.0
    """Until it has ended its side."""


class SyncServing:
    """The answers of one node."""

    def __init__(
        self,
        chain: WholeChain,
        peers: SyncPeers,
        monotonic_s: Callable[[], float],
        times: ServingTimes = ServingTimes(),
    ) -> None:
        self._chain = chain
        self._peers = peers
        self._monotonic_s = monotonic_s
        self._times = times
        self._streams: Counter[str] = Counter()
        self.blocks = 0
        """That were sent since the start."""

    @property
    def streams(self) -> int:
        """Streams that are being answered."""
        return self._streams.total()

    async def serve(self) -> None:
        """Answers peers until cancelled."""
        await self._peers.serve(self._answer)

    async def _answer(self, stream: SyncStream) -> None:
        """Answers one stream. Errors as `AnswerStream`; StoreFailedError ends it, too."""
        async with self._counted(stream.peer) as is_let_in:
            if not is_let_in:
                return
            async with asyncio.timeout(self._times.request):
                raw = await stream.receive(MAX_REQUEST_BYTES)
            if raw is None:
                return
            request = decode_request(raw)
            if isinstance(request, TipRequest):
                await self._send(stream, encode_tip(self._chain.tip()))
            else:
                await self._send_blocks(stream, request)
            async with asyncio.timeout(self._times.end):
                await stream.end()
                await stream.finish()

    async def _send_blocks(self, stream: SyncStream, request: DownloadRequest) -> None:
        found = answer(request, await self._chain.for_request(request))
        if isinstance(found, RefusalReason):
            await self._send(stream, encode_download(FailureResponse(found)))
            return
        latest_s = self._monotonic_s() + self._times.answer
        for each in found.blocks:
            raw = await self._chain.raw(each)
            if raw is None or self._monotonic_s() > latest_s:
                break
            await self._send(stream, encode_download(BlockResponse(raw)))
            self.blocks += 1
        await self._send(stream, encode_download(EndResponse()))

    async def _send(self, stream: SyncStream, message: bytes) -> None:
        async with asyncio.timeout(self._times.block):
            await stream.send(message)

    @asynccontextmanager
    async def _counted(self, peer: str) -> AsyncIterator[bool]:
        """Counts the streams of a peer; yields whether this one is not too many."""
        is_let_in = self._streams[peer] < MAX_OF_ONE_PEER
        self._streams[peer] += is_let_in
        try:
            yield is_let_in
        finally:
            self._streams[peer] -= is_let_in
            if not self._streams[peer]:
                del self._streams[peer]
