"""Messages of content topics that service nodes push (DLC-9 to DLC-14).

One machine for all readers of this node: a topic is subscribed to once, while one wants it.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.errors import PeerFailedError
from logos_delivery.core.light import filter_wire as wire
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.light.filter_client import (
    Ask,
    Backfill,
    Deliver,
    Effect,
    FilterClient,
    HealthChanged,
)
from logos_delivery.core.light.filter_wire import FilterRequest
from logos_delivery.core.message import message_hash
from logos_delivery.core.ports import Requests, Services
from logos_delivery.core.relay.relay_guard import Pass
from logos_module.driver import Driver

log = logging.getLogger(__name__)

SEED_BYTES: Final = 32
LOOK_S: Final = 5.0
"""Between two looks for service nodes."""

Sink = Callable[[Pass], None]
Missed = Callable[[Backfill], None]
"""Messages of these times may be missing."""


class FilterClientOperations:
    """The subscriptions of this node at others. Enter `running` first."""

    def __init__(
        self, requests: Requests, services: Services, monotonic_ms: Callable[[], int]
    ) -> None:
        self._requests = requests
        self._services = services
        self._monotonic_ms = monotonic_ms
        self._machine = FilterClient(secrets.token_bytes(SEED_BYTES))
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, monotonic_ms)
        self._holders: Counter[tuple[str, str]] = Counter()
        self._known: frozenset[str] = frozenset()
        self.sinks: list[Sink] = []
        self.missed: list[Missed] = []
        self.health: dict[str, int] = {}
        """Service nodes that push a shard's messages, by pubsub topic."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works for as long as the context is open."""
        async with self._driver.running(), asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(self._look_on())
            yield
            looking.cancel()

    @property
    def service_peers(self) -> Sequence[str]:
        """The service nodes that are used now."""
        return list(self._machine.peers)

    async def want(self, pubsub_topic: str, content_topics: Sequence[str]) -> None:
        """Subscribes to content topics; each call needs its `unwant`.

        Raises FilterCriteriaFullError.
        """
        topics = list(dict.fromkeys(content_topics))
        await self._driver.ask(self._machine.want, pubsub_topic, topics, None)
        self._holders.update((pubsub_topic, topic) for topic in topics)

    def unwant(self, pubsub_topic: str, content_topics: Sequence[str]) -> None:
        """Takes one `want` back."""
        gone: list[str] = []
        for topic in dict.fromkeys(content_topics):
            self._holders[pubsub_topic, topic] -= 1
            if self._holders[pubsub_topic, topic] <= 0:
                del self._holders[pubsub_topic, topic]
                gone.append(topic)
        if gone:
            self._driver.put(self._machine.unwant, pubsub_topic, gone)

    def forget(self, peer: str) -> None:
        """What a service node has taken may be gone: this node subscribes there again."""
        self._driver.put(self._machine.lost, peer)
        self._known -= {peer}

    async def take_push(self, peer: str, raw: bytes) -> bytes | None:
        """`ports.Answering`: takes pushes of service nodes, which are not answered."""
        try:
            push = wire.decode_push(raw)
        except LightMessageMalformedError as error:
            log.info("a push was refused", extra={"error": str(error)})
            return None
        self._driver.put(self._machine.pushed, peer, push)
        return None

    async def _look_on(self) -> None:
        while True:
            if self._holders:
                await self._look()
            await asyncio.sleep(LOOK_S if self._known else 0.2)

    async def _look(self) -> None:
        try:
            found = frozenset(await self._services.find(wire.SUBSCRIBE_PROTOCOL))
        except LogosError:
            return
        for peer in self._known - found:
            self._driver.put(self._machine.lost, peer)
        newcomers = list(found - self._known)
        secrets.SystemRandom().shuffle(newcomers)
        for peer in newcomers:
            self._driver.put(self._machine.found, peer, None)
        self._known = found

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Ask():
                self._driver.start(self._ask(effect))
            case Deliver(pubsub_topic, message, _):
                accepted = Pass(pubsub_topic, message, message_hash(pubsub_topic, message))
                for sink in self.sinks:
                    sink(accepted)
            case Backfill():
                for missed in self.missed:
                    missed(effect)
            case HealthChanged(pubsub_topic, peers):
                self.health[pubsub_topic] = peers

    async def _ask(self, asked: Ask) -> None:
        wanted = asked.request
        request = FilterRequest(
            secrets.token_hex(16), wanted.kind, wanted.pubsub_topic, wanted.content_topics
        )
        timeout_s = max(0.001, (asked.deadline_ms - self._monotonic_ms()) / 1000)
        try:
            raw = await self._requests.ask(
                asked.peer,
                wire.SUBSCRIBE_PROTOCOL,
                wire.encode_request(request),
                timeout_s=timeout_s,
            )
            response = wire.checked_response(wire.decode_response(raw), request.request_id)
        except (PeerFailedError, LightMessageMalformedError):
            self._driver.report(self._machine.unanswered, asked.call)
        else:
            self._driver.report(self._machine.answered, asked.call, response.status)
