"""The relay for programs that fetch messages by polling (DHT-7 to DHT-10)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from logos_base.errors import MessageKnownError, NoNeighboursError
from logos_delivery.core.errors import NotFollowedError, TooManyTopicsError
from logos_delivery.core.message import Message, message_hash
from logos_delivery.core.recent import RecentMessages
from logos_delivery.core.relay.relay_guard import Pass
from logos_delivery.core.topics import is_pubsub_topic
from logos_delivery.operations.passing import Passing
from logos_delivery.operations.relay import RelayOperations

MAX_TOPICS: Final = 1_024
"""Pubsub topics, and as many content topics, that are followed for those programs (DHT-8)."""


class RelayPolling:
    """What was received of some topics, until it is fetched."""

    def __init__(
        self,
        relay: RelayOperations,
        passing: Passing,
        *,
        capacity: int,
        topics: Sequence[str] = (),
    ) -> None:
        """`topics`: pubsub topics and content topics that are followed from the start."""
        self._relay = relay
        self._passing = passing
        self._recent = RecentMessages(capacity)
        self._topics = topics
        relay.sinks.append(self._take)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the topics of the start; the relay must run."""
        shards = [topic for topic in self._topics if is_pubsub_topic(topic)]
        await self.subscribe(shards)
        await self.subscribe_content([topic for topic in self._topics if topic not in shards])
        yield

    async def subscribe(self, pubsub_topics: Sequence[str]) -> None:
        """Follows pubsub topics. TooManyTopicsError: nothing is changed."""
        new = [one for one in dict.fromkeys(pubsub_topics) if one not in self._recent.pubsub_topics]
        _check_count(len(self._recent.pubsub_topics) + len(new))
        for topic in new:
            self._recent.want_pubsub(topic)
        await self._follow(new)

    def unsubscribe(self, pubsub_topics: Sequence[str]) -> None:
        """Follows pubsub topics no longer, and drops what waits of them. Idempotent."""
        for topic in self._recent.pubsub_topics & set(pubsub_topics):
            self._recent.unwant_pubsub(topic)
            self._relay.leave(topic)

    async def subscribe_content(self, content_topics: Sequence[str]) -> None:
        """Follows the shards of content topics.

        Raises ContentTopicInvalidError, TooManyTopicsError: nothing is changed.
        """
        known = self._recent.content_topics
        new = {one: self._passing.topic_of("", one) for one in content_topics if one not in known}
        _check_count(len(known) + len(new))
        for topic in new:
            self._recent.want_content(topic)
        await self._follow(list(new.values()))

    def unsubscribe_content(self, content_topics: Sequence[str]) -> None:
        """Takes `subscribe_content` back. Raises ContentTopicInvalidError."""
        shards = {topic: self._passing.topic_of("", topic) for topic in content_topics}
        wanted = self._recent.content_topics
        for topic, shard in shards.items():
            self._recent.unwant_content(topic)
            if topic in wanted:
                self._relay.leave(shard)

    def fetch(self, pubsub_topic: str) -> list[Message] | None:
        """Returns what has come since the last time; None if the topic is not followed."""
        return self._recent.take_pubsub(pubsub_topic)

    def fetch_content(self, content_topic: str) -> list[Message] | None:
        """Returns what has come since the last time; None if the topic is not followed (DHT-10)."""
        return self._recent.take_content(content_topic)

    async def publish(self, pubsub_topic: str, message: Message) -> bytes:
        """Publishes a message at a topic that this node follows; returns its hash, 32 bytes.

        Raises NotFollowedError, and those of `publish_content` but for the content topic's.
        """
        if pubsub_topic not in self._relay.followed:
            raise NotFollowedError(f"Node not subscribed to topic: {pubsub_topic}")
        return await self._publish(pubsub_topic, message)

    async def publish_content(self, message: Message) -> bytes:
        """Publishes a message at the shard of its content topic; returns its hash, 32 bytes.

        Raises:
            ContentTopicInvalidError, DeliveryMessageTooLargeError, BudgetSpentError
            NetworkUnavailableError, NetworkDeniedError
        """
        return await self._publish(self._passing.topic_of("", message.content_topic), message)

    async def _publish(self, pubsub_topic: str, message: Message) -> bytes:
        message = await self._passing.prepared(message)
        try:
            return await self._relay.publish(pubsub_topic, message)
        except NoNeighboursError:
            return self._relay.take_own(pubsub_topic, message)
        except MessageKnownError:
            return message_hash(pubsub_topic, message)

    async def _follow(self, pubsub_topics: Sequence[str]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for topic in pubsub_topics:
                tasks.create_task(self._relay.follow(topic))

    def _take(self, accepted: Pass) -> None:
        self._recent.add(accepted.pubsub_topic, accepted.message)


def _check_count(count: int) -> None:
    if count > MAX_TOPICS:
        raise TooManyTopicsError(f"{MAX_TOPICS} topics are followed at most")
