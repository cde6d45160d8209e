"""How well this node is connected. The rules are in core/health.py (DSN-21 to DSN-23)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.applications import CONNECTION
from logos_delivery.core.health import (
    ConnectionChanged,
    ConnectionStatus,
    Effect,
    HealthWatch,
    Protocol,
    ProtocolHealth,
    Standing,
    TopicHealth,
    protocols_health,
)
from logos_delivery.operations.events import EventOperations
from logos_delivery.operations.receiving import ReceiveOperations
from logos_delivery.operations.relay import RelayOperations
from logos_delivery.operations.subscriptions import SubscriptionOperations
from logos_delivery.operations.waiting import news_or_end
from logos_module.driver import Driver

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""Between two looks at the neighbours."""

Counting = Callable[[], Awaitable[dict[Protocol, int]]]
"""Returns the protocols of this node other than relay, and how many peers each has."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the node is connected now."""

    status: ConnectionStatus
    shards: Mapping[str, TopicHealth]
    content_topics: Mapping[str, TopicHealth]
    protocols: tuple[ProtocolHealth, ...]
    is_known: bool = True
    """Whether the neighbours were looked at since the start."""


class HealthOperations:
    """The health of one node. Enter `running` first."""

    def __init__(
        self,
        relay: RelayOperations | None,
        receiving: ReceiveOperations,
        events: EventOperations,
        count: Counting,
        *,
        monotonic_ms: Callable[[], int],
        stopping: asyncio.Event,
    ) -> None:
        """`relay` is None at an edge node."""
        self._relay = relay
        self._receiving = receiving
        self._events = events
        self._count = count
        self._stopping = stopping
        self._machine = HealthWatch(relays=relay is not None)
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, monotonic_ms)
        self._standing = Standing()
        self._is_known = False
        self._news = asyncio.Event()
        self._followed: frozenset[str] = frozenset()
        self._topics: dict[str, str] = {}

    @asynccontextmanager
    async def running(self, subscriptions: SubscriptionOperations) -> AsyncIterator[None]:
        """Looks at the neighbours for as long as the context is open."""
        async with self._driver.running(), asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(self._look_on(subscriptions))
            yield
            looking.cancel()

    def now(self) -> Health:
        """Returns the health."""
        return Health(
            self._machine.status,
            dict(self._machine.shards),
            dict(self._machine.content_topics),
            tuple(protocols_health(self._standing)),
            self._is_known,
        )

    async def watch(self) -> AsyncGenerator[Health, None]:
        """Yields the health: as it is, and whenever it changes."""
        while True:
            news = self._news
            yield self.now()
            await news_or_end(news, self._stopping)

    async def _look_on(self, subscriptions: SubscriptionOperations) -> None:
        while True:
            try:
                await self._look(subscriptions)
            except LogosError as error:
                log.info("neighbours are not known", extra={"error": str(error)})
            await asyncio.sleep(LOOK_S)

    async def _look(self, subscriptions: SubscriptionOperations) -> None:
        peers = await self._count()
        meshes: dict[str, int] = {}
        if self._relay is not None:
            neighbours = await self._relay.neighbours()
            meshes = {topic: len(one.mesh) for topic, one in neighbours.items()}
            peers[Protocol.RELAY] = len(
                {peer for one in neighbours.values() for peer in one.followers}
            )
        self._compare(meshes, dict(subscriptions.topics))
        standing = Standing(peers)
        self._is_known = True
        if standing != self._standing:
            self._standing = standing
            self._tell()
        self._driver.put(self._machine.peers_changed, standing)

    def _compare(self, meshes: Mapping[str, int], topics: dict[str, str]) -> None:
        machine = self._machine
        for topic in self._followed - meshes.keys():
            self._driver.put(machine.mesh_changed, topic, None)
        for topic, count in meshes.items():
            self._driver.put(machine.mesh_changed, topic, count)
        for topic in self._topics.keys() - topics.keys():
            self._driver.put(machine.unsubscribed, topic)
        for topic in topics.keys() - self._topics.keys():
            self._driver.put(machine.subscribed, topic, topics[topic])
        self._followed, self._topics = frozenset(meshes), topics

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, ConnectionChanged):
            is_online = effect.status is not ConnectionStatus.DISCONNECTED
            self._receiving.connected(is_online=is_online)
            self._driver.start(self._events.tell(CONNECTION, effect.status.value))
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
