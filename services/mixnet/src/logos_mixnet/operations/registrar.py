"""The registrar's streams: what peers ask, read and answered within bounds (DIS-22).

The rules of what it answers are in core/capability/registrar.py.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final

from logos_base.errors import LogosError
from logos_crypto import base58
from logos_mixnet.core.capability import registrar as core
from logos_mixnet.core.capability.budget import Budget
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.places import ip_of_address
from logos_mixnet.core.capability.wire import PROTOCOL
from logos_mixnet.core.errors import StreamUnknownError
from logos_mixnet.core.ports import Stream
from logos_mixnet.core.streams import Incoming
from logos_mixnet.operations.messages import Messages
from logos_mixnet.operations.streams import StreamOperations
from logos_module.driver import Driver
from logos_module.errors import ModuleDrainingError

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
"""For a request to come, and for a response to be taken."""
MAX_STREAMS: Final = 128
MAX_STREAMS_OF_PEER: Final = 8


class RegistrarOperations:
    """The registrar of one node."""

    def __init__(
        self,
        machine: core.Registrar,
        streams: StreamOperations,
        address_of: Callable[[str], str | None],
        now_ms: Callable[[], int],
    ) -> None:
        """Takes where the connection to a peer comes from, as `address_of`."""
        self.machine = machine
        self.driver: Driver[core.Effect] = Driver(machine, self._perform, now_ms)
        self.budget = Budget()
        self.refused: Counter[str] = Counter()
        """Requests by the reason for which they were not served, or a registration rejected."""
        self.answered = 0
        self._streams = streams
        self._address_of = address_of
        self._now_ms = now_ms
        self._open: Counter[str] = Counter()
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self._is_listening = asyncio.Event()

    async def run(self) -> None:
        """Serves until it is cancelled; takes no more streams once the module is to stop."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.driver.run())
            with suppress(ModuleDrainingError):
                async with self._streams.listen(PROTOCOL) as incoming:
                    self._is_listening.set()
                    async for stream in incoming:
                        self._accept(stream, tasks)

    def standings(self) -> list[core.Standing]:
        """Returns how the services stand that it has advertisements of."""
        return self.machine.standings(self._now_ms())

    async def wait_listening(self) -> None:
        """Waits until peers can ask; no call can listen for the protocol from then on."""
        await self._is_listening.wait()

    def _accept(self, incoming: Incoming, tasks: asyncio.TaskGroup) -> None:
        peer_id = incoming.peer_id
        try:
            stream = self._streams.accept(incoming.stream_id)
        except StreamUnknownError:  # it has ended already
            return
        is_full = self._open.total() >= MAX_STREAMS
        if is_full or self._open[peer_id] >= MAX_STREAMS_OF_PEER:
            self._refuse(stream, "STREAMS")
            return
        self._open[peer_id] += 1
        tasks.create_task(self._serve(stream))

    async def _serve(self, stream: Stream) -> None:
        try:
            await self._answer_all(stream)
        except TimeoutError:
            self._refuse(stream, "SLOW")
        except MessageMalformedError as error:
            self._refuse(stream, error.reason)
        except LogosError:  # the peer went away, or this module is about to stop
            stream.reset()
        finally:
            stream.reset()
            self._open[stream.peer_id] -= 1
            if not self._open[stream.peer_id]:
                del self._open[stream.peer_id]

    async def _answer_all(self, stream: Stream) -> None:
        messages = Messages(stream)
        peer_id = PeerId(base58.decode(stream.peer_id))
        while True:
            async with asyncio.timeout(TIMEOUT_S):
                request = await messages.read()
            if request is None:
                break
            if not self.budget.take(peer_id, self._now_ms()):
                self._refuse(stream, "BUDGET")
                return
            response = await self._answer(peer_id, stream.peer_id, request)
            async with asyncio.timeout(TIMEOUT_S):
                await messages.write(response)
        stream.close_write()
        with suppress(LogosError):
            async with asyncio.timeout(TIMEOUT_S):
                await stream.wait_closed()

    async def _answer(self, peer_id: PeerId, name: str, request: bytes) -> bytes:
        number = next(self._numbers)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        address = self._address_of(name)
        ip = None if address is None else ip_of_address(address)
        self.driver.put(self.machine.requested, number, peer_id, ip, request)
        try:
            return await future
        finally:
            del self._asked[number]

    def _refuse(self, stream: Stream, reason: str) -> None:
        self.refused[reason] += 1
        log.debug("request not served", extra={"peer_id": stream.peer_id, "reason": reason})
        stream.reset()

    def _perform(self, effect: core.Effect) -> None:
        match effect:
            case core.Respond(request, message):
                self.answered += 1
                future = self._asked.get(request)
                if future is not None and not future.done():
                    future.set_result(message)
            case core.Reset(request, reason):
                future = self._asked.get(request)
                if future is not None and not future.done():
                    future.set_exception(MessageMalformedError(reason))
            case core.Rejected(reason):
                self.refused[reason] += 1
