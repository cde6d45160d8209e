"""Streams: listen for them, open them, accept them.

The rules are in core/streams.py and core/flow.py.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from logos_mixnet.core import streams as core
from logos_mixnet.core.ports import Stream, StreamHost
from logos_mixnet.operations.inbox import Inbox, Inboxes
from logos_module.driver import Driver

log = logging.getLogger(__name__)


class StreamOperations:
    """The streams of one node."""

    def __init__(self, host: StreamHost, now_ms: Callable[[], int]) -> None:
        self.machine = core.Streams()
        self.driver: Driver[core.Effect] = Driver(self.machine, self._perform, now_ms)
        self.listeners: Inboxes[core.Listener, core.Incoming] = Inboxes()
        self._host = host

    @asynccontextmanager
    async def listen(self, protocol: str) -> AsyncIterator[Inbox[core.Incoming]]:
        """Lets peers open streams of a protocol for as long as the context is open."""
        listener = core.Listener(protocol)
        with self.listeners.open(listener, listener.take) as incoming:
            try:
                await self.driver.ask(self.machine.listen, listener)
                yield incoming
            finally:
                self.driver.put(self.machine.unlisten, listener)

    async def open(self, peer_id: str, protocol: str) -> Stream:
        """Opens a stream to a peer, or raises why it cannot."""
        core.check_protocol(protocol)
        return await self._host.open(peer_id, protocol)

    def accept(self, stream_id: int) -> Stream:
        """Returns an announced stream, or raises `StreamUnknownError`."""
        self.machine.check_announced(stream_id)
        self.driver.put(self.machine.removed, stream_id)
        return self._host.accept(stream_id)

    def _perform(self, effect: core.Effect) -> None:
        match effect:
            case core.Arrived(listener):
                self.listeners.wake(listener)
            case core.Listen(protocol):
                self._host.listen(protocol)
            case core.Unlisten(protocol):
                self._host.unlisten(protocol)
            case core.Reset(stream_id, reason):
                log.debug("stream reset", extra={"stream_id": stream_id, "reason": reason})
                self._host.reset(stream_id)
