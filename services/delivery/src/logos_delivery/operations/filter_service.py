"""The filter service: pushes messages to light clients. The rules are in core/light/filter.py."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from logos_delivery.core.errors import PeerFailedError
from logos_delivery.core.light import filter_wire as wire
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.light.filter import Effect, FilterService, Forget, PushTo
from logos_delivery.core.light.filter_wire import FilterResponse
from logos_delivery.core.light.rates import PeerLimits
from logos_delivery.core.light.subscriptions import Criterion
from logos_delivery.core.relay.relay_guard import Pass
from logos_module.driver import Driver

log = logging.getLogger(__name__)

MAX_PUSHES: Final = 256
"""Streams of pushes at a time, to all peers together."""


class Telling(Protocol):
    """Sends messages that are not answered."""

    async def tell(self, peer: str, protocol: str, message: bytes, *, timeout_s: float) -> None:
        """Sends a message to a peer; raises `PeerFailedError`."""
        ...


class FilterServing:
    """The filter service of one node. Enter `running` first."""

    def __init__(
        self, telling: Telling, limits: PeerLimits, monotonic_ms: Callable[[], int]
    ) -> None:
        self._telling = telling
        self._limits = limits
        self._monotonic_ms = monotonic_ms
        self._machine = FilterService()
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, monotonic_ms)
        self._room = asyncio.Semaphore(MAX_PUSHES)
        self._pushing: dict[str, set[asyncio.Task[None]]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works for as long as the context is open."""
        async with self._driver.running():
            yield

    def subscribers(self) -> dict[str, list[Criterion]]:
        """Returns what each peer subscribes to."""
        table = self._machine.subscriptions
        return {peer: sorted(table.criteria_of(peer)) for peer in table.peers}

    def take(self, accepted: Pass) -> None:
        """Pushes an accepted message to those that subscribe to it."""
        self._driver.put(self._machine.relayed, accepted.pubsub_topic, accepted.message)

    async def answer(self, peer: str, raw: bytes) -> bytes | None:
        """`ports.Answering`: takes requests of light clients."""
        if not self._limits.allow(peer, self._monotonic_ms()):
            return wire.encode_response(wire.too_many_requests())
        try:
            request = wire.decode_request(raw)
        except LightMessageMalformedError as error:
            log.info("a filter request was refused", extra={"error": str(error)})
            return None  # DLC-2: the stream is closed without an answer
        response: FilterResponse = await self._driver.ask(self._machine.request, peer, request)
        return wire.encode_response(response)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case PushTo():
                task = self._driver.start(self._push(effect))
                pushing = self._pushing.setdefault(effect.peer, set())
                pushing.add(task)
                task.add_done_callback(lambda done: self._ended(effect.peer, done))
            case Forget(peer):
                for task in self._pushing.get(peer, ()):
                    task.cancel()

    def _ended(self, peer: str, task: asyncio.Task[None]) -> None:
        pushing = self._pushing.get(peer, set())
        pushing.discard(task)
        if not pushing:
            self._pushing.pop(peer, None)

    async def _push(self, effect: PushTo) -> None:
        timeout_s = max(0.001, (effect.deadline_ms - self._monotonic_ms()) / 1000)
        try:
            async with self._room:
                await self._telling.tell(
                    effect.peer, wire.PUSH_PROTOCOL, effect.data, timeout_s=timeout_s
                )
        except PeerFailedError:
            self._driver.report(self._machine.push_failed, effect.push)
        else:
            self._driver.report(self._machine.pushed, effect.push)
