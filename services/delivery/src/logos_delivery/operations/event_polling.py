"""Events for programs that fetch them by polling: each is told once (DHT-15)."""

import asyncio
import logging
from collections import OrderedDict, deque
from contextlib import aclosing
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.applications import RECEIVED, EventFilter, Happening
from logos_delivery.core.sending.request import EventKind
from logos_delivery.operations.events import EventOperations
from logos_module.errors import ModuleDrainingError

log = logging.getLogger(__name__)

MAX_RECEIVED: Final = 50
MAX_REQUESTS: Final = 10_000
MAX_OF_REQUEST: Final = 16
"""Events of one request."""
RETRY_S: Final = 1.0
_KINDS: Final = frozenset(
    {RECEIVED, EventKind.PROPAGATED.value, EventKind.SENT.value, EventKind.ERROR.value}
)


class EventPolling:
    """What has happened since it was last asked for. Where there is no room, the oldest go."""

    def __init__(self, events: EventOperations) -> None:
        self._events = events
        self._received: deque[Happening] = deque(maxlen=MAX_RECEIVED)
        self._of_requests: OrderedDict[str, list[Happening]] = OrderedDict()

    async def run(self) -> None:
        """Follows the events of this node, until it stops."""
        position: int | None = None
        wanted = EventFilter(kinds=_KINDS)
        while True:
            try:
                async with aclosing(self._events.watch(position, wanted)) as pages:
                    async for page in pages:
                        position = page.position
                        for event in page.events:
                            self._take(event)
            except ModuleDrainingError:
                return
            except LogosError as error:
                log.warning("events were not read", extra={"error": str(error)})
            await asyncio.sleep(RETRY_S)

    def fetch_received(self) -> list[Happening]:
        """Returns received messages, oldest first."""
        found = list(self._received)
        self._received.clear()
        return found

    def fetch_requests(self) -> list[tuple[str, list[Happening]]]:
        """Returns what became of requests, each with its id."""
        found = list(self._of_requests.items())
        self._of_requests.clear()
        return found

    def fetch_request(self, request_id: str) -> list[Happening] | None:
        """Returns what became of a request; None if nothing has, or it was told."""
        return self._of_requests.pop(request_id, None)

    def _take(self, event: Happening) -> None:
        if event.kind == RECEIVED:
            self._received.append(event)
            return
        events = self._of_requests.setdefault(event.request_id, [])
        if len(events) < MAX_OF_REQUEST:
            events.append(event)
        if len(self._of_requests) > MAX_REQUESTS:
            self._of_requests.popitem(last=False)
