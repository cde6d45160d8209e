"""The bridge from the libp2p host's event queue to the event loop.

The host calls no Python: its eventfd signals that events wait, and `_drain` passes each
to the handler of its class or the future of its request. A host that has panicked ends
`run`, and with it the process (NET-14).
"""

import asyncio
import logging
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # the wheel is needed to run a host, not to test what is around it
    from logos_native import Host

log = logging.getLogger(__name__)

DRAIN_LIMIT: Final = 1024

Handler = Callable[[list[Any]], None]
"""Takes events of one class that follow each other."""


class HostBridge:
    """One host and the event loop that it serves. Use within that loop only."""

    def __init__(self, host: "Host") -> None:
        self.host = host
        self._loop = asyncio.get_running_loop()
        self._broken: asyncio.Future[None] = self._loop.create_future()
        self._handlers: dict[str, Handler] = {}
        self._answers: dict[int, asyncio.Future[Any]] = {}

    def on(self, event: str, handle: Callable[[Any], None]) -> None:
        """Gives every event of a class, named as in the native module, to a handler.

        Of several, each gets it, in the order in which they came.
        """

        def handle_each(events: list[Any]) -> None:
            for each in events:
                handle(each)

        self.on_run(event, handle_each)

    def on_run(self, event: str, handler: Handler) -> None:
        """Gives events of a class to a handler, all that follow each other in one call."""
        former = self._handlers.get(event)

        def handle_both(events: list[Any]) -> None:
            if former is not None:
                former(events)
            handler(events)

        self._handlers[event] = handler if former is None else handle_both

    def answer(self, request_id: int) -> asyncio.Future[Any]:
        """Returns the future of the one event that ends a request."""
        future = self._loop.create_future()
        self._answers[request_id] = future
        return future

    def answers(self, *events: str) -> None:
        """Gives every event of these classes to the future of its request."""
        for event in events:
            self.on(event, self._settle)

    def start(self) -> None:
        """Begins to hand out events. Every handler must be known by now."""
        self._loop.add_reader(self.host.fileno(), self._drain)

    async def run(self) -> None:
        """Waits for the host to break, and raises why."""
        await asyncio.shield(self._broken)

    def close(self) -> None:
        """Ends the host and everything that waits for it."""
        self._loop.remove_reader(self.host.fileno())
        for future in self._answers.values():
            future.cancel()
        self._answers.clear()
        self._broken.cancel()
        self.host.close()

    def _drain(self) -> None:
        try:
            events = self.host.drain(DRAIN_LIMIT)
        except Exception as error:  # noqa: BLE001 - whatever it is, the host is dead
            self._break(error)
            return
        for kind, run in groupby(events, type):
            try:
                self._handlers.get(kind.__name__, _ignore)(list(run))
            except Exception as error:
                log.exception("event not handled", extra={"event": kind.__name__})
                self._break(error)
                return

    def _settle(self, event: Any) -> None:
        future = self._answers.pop(event.request_id, None)
        if future is not None and not future.done():
            future.set_result(event)

    def _break(self, error: Exception) -> None:
        self._loop.remove_reader(self.host.fileno())
        if not self._broken.done():
            self._broken.set_exception(error)


def _ignore(_events: list[Any]) -> None:
    """Drops events without a handler."""
