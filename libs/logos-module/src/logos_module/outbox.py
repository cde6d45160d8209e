"""Events that are published by the way: who puts them never waits and never fails.

They wait in a bounded queue while the kernel is away. What has no room is dropped and counted.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby, islice
from operator import itemgetter
from typing import Final, Protocol

import grpc
from prometheus_client import Counter

log = logging.getLogger(__name__)

MAX_WAITING: Final = 1_000
MAX_PAYLOAD_BYTES: Final = 16 * 1024
"""So that what waits takes at most 16 MiB."""
BATCH: Final = 60
"""Events of one topic that are published together: they stay below the kernel's 1 MiB."""
FLUSH_S: Final = 1.0
"""For what still waits when the module ends."""

_DROPPED: Final = Counter("events_dropped_total", "Events not published", ["event"])


class Publisher(Protocol):
    """What publishes: `logos_module.events.Events`."""

    async def publish(self, event: str, *payloads: bytes, timeout_s: float | None) -> object:
        """Publishes events on one topic, each once; waits while the kernel is away."""
        ...


class Outbox:
    """Events of one module, in order. For use on one event loop."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._has_some = asyncio.Event()
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self.dropped = 0
        """Events that were not published, since the start."""

    def put(self, event: str, payload: bytes) -> None:
        """Has an event published on the topic `<this module>/<event>`, at most once."""
        if len(self._waiting) >= MAX_WAITING or len(payload) > MAX_PAYLOAD_BYTES:
            self._drop(event, 1, "no room")
            return
        self._waiting.append((event, payload))
        self._is_empty.clear()
        self._has_some.set()

    async def run(self) -> None:
        """Publishes until cancelled."""
        while True:
            await self._has_some.wait()
            event, same = next(groupby(islice(self._waiting, BATCH), itemgetter(0)))
            payloads = [payload for _, payload in same]
            try:
                await self._publisher.publish(event, *payloads, timeout_s=None)
            except grpc.aio.AioRpcError as error:
                self._drop(event, len(payloads), error.details() or error.code().name)
            for _ in payloads:
                self._waiting.popleft()
            if not self._waiting:
                self._has_some.clear()
                self._is_empty.set()

    async def flush(self) -> None:
        """Returns once nothing waits."""
        await self._is_empty.wait()

    def _drop(self, event: str, count: int, why: str) -> None:
        is_first = not self.dropped
        self.dropped += count
        _DROPPED.labels(event).inc(count)
        level = logging.WARNING if is_first else logging.DEBUG  # the metric tells how many
        log.log(level, "events dropped", extra={"event": event, "count": count, "why": why})


@asynccontextmanager
async def outbox_of(publisher: Publisher) -> AsyncIterator[Outbox]:
    """Yields an outbox that publishes as long as this is open, and a moment longer."""
    outbox = Outbox(publisher)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(outbox.run())
        yield outbox
        try:
            async with asyncio.timeout(FLUSH_S):
                await outbox.flush()
        except TimeoutError:
            log.warning("events left unpublished: the kernel is away")
        running.cancel()
