"""Streams: listen for them, open them, accept them.

The rules are in core/streams.py and core/flow.py.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from logos_mixnet.core.ports import Clock, Stream, StreamHost
from logos_mixnet.core.streams import (
    ACCEPT_TIMEOUT_MS,
    Arrived,
    Effect,
    Incoming,
    Listen,
    Listener,
    Reset,
    Streams,
    Unlisten,
    check_protocol,
)
from logos_mixnet.operations.inbox import Inbox, Inboxes
from logos_module.driver import Driver

log = logging.getLogger(__name__)


class StreamOperations:
    """The streams of one node."""

    def __init__(
        self, host: StreamHost, clock: Clock, *, accept_timeout_ms: int = ACCEPT_TIMEOUT_MS
    ) -> None:
        self.machine = Streams(accept_timeout_ms=accept_timeout_ms)
        self.driver: Driver[Effect] = Driver(self.machine, self._perform, clock.now_ms)
        self.listeners: Inboxes[Listener, Incoming] = Inboxes()
        self._host = host

    @asynccontextmanager
    async def listen(self, protocol: str) -> AsyncIterator[Inbox[Incoming]]:
        """Lets peers open streams of a protocol for as long as the context is open."""
        listener = Listener(protocol)
        with self.listeners.open(listener, listener.take) as incoming:
            try:
                await self.driver.ask(self.machine.listen, listener)
                yield incoming
            finally:
                self.driver.put(self.machine.unlisten, listener)

    async def open(self, peer_id: str, protocol: str) -> Stream:
        """Opens a stream to a peer, or raises why it cannot."""
        check_protocol(protocol)
        return await self._host.open(peer_id, protocol)

    def accept(self, stream_id: int) -> Stream:
        """Returns an announced stream, or raises `StreamUnknownError`."""
        self.machine.check_announced(stream_id)
        self.driver.put(self.machine.accepted, stream_id)
        return self._host.accept(stream_id)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Arrived(listener):
                self.listeners.wake(listener)
            case Listen(protocol):
                self._host.listen(protocol)
            case Unlisten(protocol):
                self._host.unlisten(protocol)
            case Reset(stream_id, reason):
                log.debug("stream reset", extra={"stream_id": stream_id, "reason": reason})
                self._host.reset(stream_id)
