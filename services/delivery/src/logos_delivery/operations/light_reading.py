"""Readers of content topics, by what service nodes push (DLC-9)."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from logos_delivery.core.errors import TopicsMissingError
from logos_delivery.core.light.filter_client import Backfill
from logos_delivery.core.relay.relay_guard import Pass
from logos_delivery.operations.filter_client import FilterClientOperations
from logos_delivery.operations.passing import Passing
from logos_module.errors import ModuleDrainingError

MAX_TOPICS: Final = 100
MAX_WAITING: Final = 1_024
MAX_BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class LightBatch:
    """What waited for a reader."""

    messages: list[Pass]
    interrupted_ns: int | None
    """Since when messages may be missing, nanoseconds since 1970; None: they are not."""


class LightReader:
    """What waits for one reader. Bounded: where there is no room, messages may be missing."""

    def __init__(
        self, criteria: frozenset[tuple[str, str]], stopping: asyncio.Event, unix_ns: int
    ) -> None:
        self._criteria = criteria
        self._stopping = stopping
        self._waiting: deque[Pass] = deque()
        self._interrupted_ns: int | None = None
        self._newest_ns = unix_ns
        self._news = asyncio.Event()

    def put(self, pushed: Pass) -> None:
        """Has a message wait, if the reader wants it."""
        if (pushed.pubsub_topic, pushed.message.content_topic) not in self._criteria:
            return
        if len(self._waiting) >= MAX_WAITING:
            self.miss(self._newest_ns)
            return
        self._newest_ns = max(self._newest_ns, pushed.message.timestamp_ns)
        self._waiting.append(pushed)
        self._news.set()

    def miss(self, since_ns: int) -> None:
        """Messages since then may be missing."""
        earliest = since_ns if self._interrupted_ns is None else self._interrupted_ns
        self._interrupted_ns = min(earliest, since_ns)
        self._news.set()

    def wants(self, pubsub_topic: str, content_topics: Sequence[str]) -> bool:
        """Says whether the reader wants any of these."""
        return any((pubsub_topic, topic) in self._criteria for topic in content_topics)

    def stop(self) -> None:
        """Ends the reader once nothing waits."""
        self._news.set()

    async def batches(self) -> AsyncGenerator[LightBatch, None]:
        """Yields what is pushed, for as long as it is read."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting or self._interrupted_ns is not None:
                count = min(MAX_BATCH, len(self._waiting))
                messages = [self._waiting.popleft() for _ in range(count)]
                interrupted_ns, self._interrupted_ns = self._interrupted_ns, None
                yield LightBatch(messages, interrupted_ns)
            if self._stopping.is_set():
                raise ModuleDrainingError("delivery is about to stop")


class LightReading:
    """The readers of one node."""

    def __init__(
        self,
        client: FilterClientOperations,
        passing: Passing,
        *,
        unix_ns: Callable[[], int],
        monotonic_ms: Callable[[], int],
        stopping: asyncio.Event,
    ) -> None:
        self._client = client
        self._passing = passing
        self._unix_ns = unix_ns
        self._monotonic_ms = monotonic_ms
        self._stopping = stopping
        self._readers: set[LightReader] = set()
        client.sinks.append(self._take)
        client.missed.append(self._miss)

    @asynccontextmanager
    async def receive(
        self, pubsub_topic: str, content_topics: Sequence[str]
    ) -> AsyncIterator[LightReader]:
        """Reads content topics for as long as the context is open.

        Raises:
            TopicsMissingError, ContentTopicInvalidError, PubsubTopicInvalidError
            FilterCriteriaFullError
        """
        topics = list(dict.fromkeys(content_topics))
        if not 1 <= len(topics) <= MAX_TOPICS:
            raise TopicsMissingError(f"1 to {MAX_TOPICS} content topics a call")
        shards: dict[str, list[str]] = {}
        for topic in topics:
            shards.setdefault(self._passing.topic_of(pubsub_topic, topic), []).append(topic)
        criteria = frozenset((shard, one) for shard, some in shards.items() for one in some)
        reader = LightReader(criteria, self._stopping, self._unix_ns())
        self._readers.add(reader)
        wanted: list[str] = []
        try:
            for shard, some in shards.items():
                await self._client.want(shard, some)
                wanted.append(shard)
            yield reader
        finally:
            self._readers.discard(reader)
            for shard in wanted:
                self._client.unwant(shard, shards[shard])

    async def drain(self) -> None:
        """Ends the readers once the module is to stop."""
        await self._stopping.wait()
        for reader in self._readers:
            reader.stop()

    def _take(self, pushed: Pass) -> None:
        for reader in self._readers:
            reader.put(pushed)

    def _miss(self, missed: Backfill) -> None:
        ago_ns = (self._monotonic_ms() - missed.from_ms) * 1_000_000
        for reader in self._readers:
            if reader.wants(missed.pubsub_topic, missed.content_topics):
                reader.miss(self._unix_ns() - ago_ns)
