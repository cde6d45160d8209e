"""Messages as they pass through this node, for programs that read and publish them by shard."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from logos_base.gossip import Neighbours
from logos_delivery.core.errors import PubsubTopicInvalidError, RelayOffError
from logos_delivery.core.message import Message
from logos_delivery.core.ports import Proofs
from logos_delivery.core.relay import proof as proofs
from logos_delivery.core.relay.relay_guard import Pass
from logos_delivery.core.topics import parse_pubsub_topic, pubsub_topic_of
from logos_delivery.operations.relay import RelayOperations
from logos_module.errors import ModuleDrainingError

MAX_TOPICS: Final = 64
MAX_WAITING: Final = 1_024
MAX_WAITING_BYTES: Final = 16 * 1024 * 1024
MAX_BATCH: Final = 64
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Passed:
    """A message, and when it passed: Unix time in milliseconds."""

    accepted: Pass
    at_ms: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What waited for a reader."""

    messages: list[Passed]
    lost: int
    """Messages that had no room since the batch before."""


class Reader:
    """What waits for one reader of pubsub topics. Bounded: what has no room is counted."""

    def __init__(self, pubsub_topics: Sequence[str], stopping: asyncio.Event) -> None:
        self.pubsub_topics = frozenset(pubsub_topics)
        self._stopping = stopping
        self._waiting: deque[Passed] = deque()
        self._bytes = 0
        self._lost = 0
        self._news = asyncio.Event()

    def put(self, passed: Passed) -> None:
        """Has a message wait, if the reader wants it."""
        if passed.accepted.pubsub_topic not in self.pubsub_topics:
            return
        size = len(passed.accepted.message.payload)
        if len(self._waiting) >= MAX_WAITING or self._bytes + size > MAX_WAITING_BYTES:
            self._lost += 1
        else:
            self._waiting.append(passed)
            self._bytes += size
        self._news.set()

    def stop(self) -> None:
        """Ends the reader once nothing waits."""
        self._news.set()

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Yields what passes, for as long as it is read."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting or self._lost:
                yield self._take()
            if self._stopping.is_set():
                raise ModuleDrainingError("delivery is about to stop")

    def _take(self) -> Batch:
        taken: list[Passed] = []
        size = 0
        while self._waiting and len(taken) < MAX_BATCH and size < 1024 * 1024:
            passed = self._waiting.popleft()
            size += len(passed.accepted.message.payload)
            taken.append(passed)
        self._bytes -= size
        lost, self._lost = self._lost, 0
        return Batch(taken, lost)


class Passing:
    """The relay, as `logos.delivery.v1.Relay` offers it."""

    def __init__(
        self,
        relay: RelayOperations | None,
        proofs_port: Proofs,
        unix_ms: Callable[[], int],
        stopping: asyncio.Event,
        *,
        cluster: int,
        shards: int,
        identifier: bytes | None,
    ) -> None:
        """`relay` is None at an edge node; `identifier` is None where messages carry no proof."""
        self._relay = relay
        self._proofs = proofs_port
        self._unix_ms = unix_ms
        self._stopping = stopping
        self._cluster = cluster
        self._shards = shards
        self._identifier = identifier
        self._readers: set[Reader] = set()
        if relay is not None:
            relay.sinks.append(self._take)

    async def publish(self, pubsub_topic: str, message: Message) -> bytes:
        """Publishes a message, with a timestamp and a proof where it lacks them (DEL-11).

        Returns its hash, 32 bytes.

        Raises:
            PubsubTopicInvalidError, RelayOffError, BudgetSpentError, and those of
            `RelayOperations.publish`.
        """
        relay = self._own()
        pubsub_topic = self.topic_of(pubsub_topic, message.content_topic)
        return await relay.publish(pubsub_topic, await self.prepared(message))

    def topic_of(self, pubsub_topic: str, content_topic: str) -> str:
        """Returns a pubsub topic as it is given, or else the shard of a content topic.

        Raises PubsubTopicInvalidError, ContentTopicInvalidError.
        """
        if pubsub_topic:
            return str(parse_pubsub_topic(pubsub_topic))
        return pubsub_topic_of(content_topic, cluster=self._cluster, shards=self._shards)

    async def prepared(self, message: Message) -> Message:
        """Returns a message with a timestamp, and with a proof where the network wants one."""
        if not message.timestamp_ns:
            message = replace(message, timestamp_ns=self._unix_ms() * _NS_PER_MS)
        if self._identifier is None or message.proof:
            return message
        made = await self._proofs.prove(self._identifier, proofs.signal_of(message))
        return replace(message, proof=proofs.of_lip144(made, self._identifier).encode())

    @asynccontextmanager
    async def receive(self, pubsub_topics: Sequence[str]) -> AsyncIterator[Reader]:
        """Reads pubsub topics for as long as the context is open.

        Raises PubsubTopicInvalidError, RelayOffError.
        """
        relay = self._own()
        topics = sorted(set(pubsub_topics))
        if not 1 <= len(topics) <= MAX_TOPICS:
            raise PubsubTopicInvalidError(f"1 to {MAX_TOPICS} pubsub topics are read at a time")
        for topic in topics:
            parse_pubsub_topic(topic)
        reader = Reader(topics, self._stopping)
        self._readers.add(reader)
        followed: list[str] = []
        try:
            for topic in topics:
                await relay.follow(topic)
                followed.append(topic)
            yield reader
        finally:
            self._readers.discard(reader)
            for topic in followed:
                relay.leave(topic)

    async def shards(self) -> dict[str, Neighbours]:
        """Returns the shards that this node follows. RelayOffError, NetworkUnavailableError."""
        return await self._own().neighbours()

    async def drain(self) -> None:
        """Ends the readers once the module is to stop."""
        await self._stopping.wait()
        for reader in self._readers:
            reader.stop()

    def _own(self) -> RelayOperations:
        if self._relay is None:
            raise RelayOffError("this node does not relay: its mode is `edge`")
        return self._relay

    def _take(self, accepted: Pass) -> None:
        passed = Passed(accepted, self._unix_ms())
        for reader in self._readers:
            reader.put(passed)
