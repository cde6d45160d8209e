"""The content topics that this node subscribes to (DEL-21)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.applications import Applications
from logos_delivery.core.errors import TooManyTopicsError, TopicsMissingError
from logos_delivery.core.topics import pubsub_topic_of
from logos_delivery.operations.filter_client import FilterClientOperations
from logos_delivery.operations.receiving import ReceiveOperations
from logos_delivery.operations.relay import RelayOperations

MAX_TOPICS: Final = 1_000
MAX_ASKED: Final = 100


@dataclass(frozen=True, slots=True)
class TopicResult:
    """What became of one content topic."""

    content_topic: str
    reason: str = ""
    """Why it was not done; empty if it was."""
    pubsub_topic: str = ""


class SubscriptionOperations:
    """The subscriptions of one node: durable, and in force again after a restart."""

    def __init__(
        self,
        applications: Applications,
        receiving: ReceiveOperations,
        source: RelayOperations | FilterClientOperations,
        *,
        cluster: int,
        shards: int,
    ) -> None:
        """Messages come by relay, or at an edge node from service nodes."""
        self._applications = applications
        self._receiving = receiving
        self._source = source
        self._cluster = cluster
        self._shards = shards
        self._topics: dict[str, str] = {}

    @property
    def topics(self) -> Sequence[tuple[str, str]]:
        """The content topics, in alphabetical order, with their pubsub topics."""
        return sorted(self._topics.items())

    async def resume(self) -> None:
        """Puts into force what an earlier process has kept."""
        for content_topic, _ in await self._applications.subscriptions():
            try:
                pubsub_topic = self.pubsub_topic(content_topic)
            except LogosError:
                continue
            await self._add(content_topic, pubsub_topic)

    def pubsub_topic(self, content_topic: str) -> str:
        """Returns the shard of a content topic; raises ContentTopicInvalidError."""
        return pubsub_topic_of(content_topic, cluster=self._cluster, shards=self._shards)

    async def subscribe(self, content_topics: Sequence[str]) -> list[TopicResult]:
        """Subscribes; what is wrong with one does not hinder the others.

        Raises:
            TopicsMissingError: None is given, or over 100.
            TooManyTopicsError: There would be over 1,000; nothing is changed.
            DiskFullError, StoreFailedError: Nothing is changed.
        """
        _check_count(content_topics)
        results = [self._judged(topic) for topic in content_topics]
        new = {one.content_topic: one.pubsub_topic for one in results if not one.reason}
        new = {topic: shard for topic, shard in new.items() if topic not in self._topics}
        if len(self._topics) + len(new) > MAX_TOPICS:
            raise TooManyTopicsError(f"a node subscribes to {MAX_TOPICS} content topics at most")
        if new:
            await self._applications.subscribe(list(new.items()))
        for topic, shard in new.items():
            await self._add(topic, shard)
        return results

    async def unsubscribe(self, content_topics: Sequence[str]) -> list[TopicResult]:
        """Ends subscriptions. Errors as `subscribe`."""
        _check_count(content_topics)
        results = [
            TopicResult(topic, "", self._topics[topic])
            if topic in self._topics
            else TopicResult(topic, "NOT_SUBSCRIBED")
            for topic in content_topics
        ]
        gone = {one.content_topic for one in results if not one.reason}
        if gone:
            await self._applications.unsubscribe(gone)
        for topic in gone & self._topics.keys():
            shard = self._topics.pop(topic)
            self._receiving.unsubscribed(topic)
            if isinstance(self._source, RelayOperations):
                self._source.leave(shard)
            else:
                self._source.unwant(shard, [topic])
        return results

    def _judged(self, content_topic: str) -> TopicResult:
        try:
            return TopicResult(content_topic, "", self.pubsub_topic(content_topic))
        except LogosError as error:
            return TopicResult(content_topic, error.reason)

    async def _add(self, content_topic: str, pubsub_topic: str) -> None:
        if content_topic in self._topics:
            return
        self._topics[content_topic] = pubsub_topic
        self._receiving.subscribed(content_topic, pubsub_topic)
        if isinstance(self._source, RelayOperations):
            await self._source.follow(pubsub_topic)
        else:
            await self._source.want(pubsub_topic, [content_topic])


def _check_count(content_topics: Sequence[str]) -> None:
    if not 1 <= len(content_topics) <= MAX_ASKED:
        raise TopicsMissingError(f"1 to {MAX_ASKED} content topics a call")
