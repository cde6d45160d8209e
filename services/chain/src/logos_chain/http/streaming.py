"""Answers that come in pieces: blocks one by one, and streams without an end (HTP-10, HTP-11)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from logos_base.errors import LogosError
from logos_chain.operations.chain_events import ChainListenersFullError

log = logging.getLogger(__name__)

NDJSON: Final = "application/x-ndjson"
MAX_STREAMS: Final = 16
"""Without an end, at a time."""
MAX_BLOCK_ANSWERS: Final = 8
"""Answers with blocks that are being sent at a time: each has one block in memory."""

Pieces = AsyncGenerator[bytes]


class PieceResponse(StreamingResponse):
    """Sends pieces of which the first was made; closes them when the client goes.

    Pieces that fail end the answer without the rest: its status was sent already.
    """

    def __init__(self, first: bytes, pieces: Pieces, media_type: str) -> None:
        self._first = first
        self._pieces = pieces
        super().__init__(self._all(), media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._pieces):
            await super().__call__(scope, receive, send)

    async def _all(self) -> AsyncIterator[bytes]:
        yield self._first
        try:
            async for each in self._pieces:
                yield each
        except LogosError as error:
            log.info("an answer over HTTP ends early", extra={"reason": error.reason})


async def begun(pieces: Pieces, media_type: str) -> PieceResponse:
    """Answers with pieces after the first was made: errors until then are answered as errors."""
    return PieceResponse(await anext(pieces, b""), pieces, media_type)


class Places:
    """How many answers in pieces there may be."""

    def __init__(self) -> None:
        self._answers = asyncio.Semaphore(MAX_BLOCK_ANSWERS)
        self._streams = 0

    @asynccontextmanager
    async def answer(self) -> AsyncIterator[None]:
        """Waits for a place to send blocks."""
        async with self._answers:
            yield

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Takes a place for a stream without an end; raises `ChainListenersFullError`."""
        if self._streams >= MAX_STREAMS:
            raise ChainListenersFullError(f"{MAX_STREAMS} streams are being served already")
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1
