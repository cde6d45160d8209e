"""Peer exchange over streams: asks peers that the machine names, and answers those that ask.

The rules are in core/exchange.py.
"""

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from typing import Final

from logos_base.errors import LogosError, RemoteFaultError
from logos_mixnet.core import exchange as core
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.errors import ExchangeRefusedError
from logos_mixnet.core.exchange_wire import (
    MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES,
    PROTOCOL,
    Framed,
    frame,
)
from logos_mixnet.core.peering import Effect
from logos_mixnet.core.ports import Stream
from logos_mixnet.core.streams import Incoming
from logos_mixnet.operations.streams import StreamOperations
from logos_module.driver import Driver
from logos_module.errors import ModuleDrainingError

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
"""Of a request with its response, on either side."""
MAX_SERVED: Final = 32
"""Requests at a time; `MAX_SERVED_OF_PEER` of one peer. More are reset."""
MAX_SERVED_OF_PEER: Final = 2


class ExchangeOperations:
    """Both sides of the protocol."""

    def __init__(
        self, streams: StreamOperations, machine: core.Exchange, driver: Driver[Effect]
    ) -> None:
        self._streams = streams
        self._machine = machine
        self._driver = driver
        self._serving: Counter[str] = Counter()

    def begin(self, ask: core.Ask) -> None:
        """Sends a request; what becomes of it is an input of the machine."""
        self._driver.start(self._ask(ask))

    async def serve(self) -> None:
        """Answers peers until the module is about to stop."""
        async with asyncio.TaskGroup() as tasks:
            with suppress(ModuleDrainingError):
                async with self._streams.listen(PROTOCOL) as incoming:
                    async for each in incoming:
                        self._take(each, tasks)

    def _take(self, incoming: Incoming, tasks: asyncio.TaskGroup) -> None:
        try:
            stream = self._streams.accept(incoming.stream_id)
        except LogosError:  # it has ended meanwhile
            return
        peer_id = incoming.peer_id
        is_full = self._serving.total() >= MAX_SERVED
        if is_full or self._serving[peer_id] >= MAX_SERVED_OF_PEER:
            self._machine.counts.refused += 1
            stream.reset()
            return
        self._serving[peer_id] += 1
        tasks.create_task(self._serve(stream))

    async def _serve(self, stream: Stream) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                request = await read_message(stream, MAX_REQUEST_BYTES)
                step = self._machine.serve
                response = await self._driver.ask(step, stream.peer_id, request)
                await stream.write(frame(response))
                stream.close_write()
                await stream.wait_closed()
        except (RemoteFaultError, ExchangeRefusedError) as error:
            self._machine.counts.refused += 1
            log.debug("request refused", extra={"peer": stream.peer_id, "error": repr(error)})
        except (LogosError, TimeoutError) as error:
            log.debug("request not served", extra={"peer": stream.peer_id, "error": repr(error)})
        finally:
            stream.reset()  # unless both directions have ended
            self._serving[stream.peer_id] -= 1
            if not self._serving[stream.peer_id]:
                del self._serving[stream.peer_id]

    async def _ask(self, ask: core.Ask) -> None:
        try:
            response = await self._round_trip(ask)
        except (LogosError, TimeoutError) as error:
            log.debug("peer names no others", extra={"peer": ask.peer_id, "error": repr(error)})
            self._driver.report(self._machine.not_answered, ask.peer_id, error)
        else:
            self._driver.report(self._machine.answered, ask.peer_id, response)

    async def _round_trip(self, ask: core.Ask) -> bytes:
        async with asyncio.timeout(TIMEOUT_S):
            stream = await self._streams.open(ask.peer_id, PROTOCOL)
            try:
                await stream.write(frame(ask.request))
                stream.close_write()
                return await read_message(stream, MAX_RESPONSE_BYTES)
            finally:
                stream.reset()  # unless both directions have ended


async def read_message(stream: Stream, max_bytes: int) -> bytes:
    """Reads the one message of a stream, to the end of the peer's direction.

    Raises:
        MessageMalformedError: It is too long, cut off, or more follows.
        StreamResetError: The peer or its connection went away.
    """
    framed, message = Framed(max_bytes), None
    while pieces := await stream.read():
        for piece in pieces:
            message = framed.feed(piece)
    if message is None:
        raise MessageMalformedError("the message is cut off")
    return message
