"""Gossip: publish messages, subscribe to topics, judge what came.

The rules are in core/gossip.py.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from logos_mixnet.core import gossip as core
from logos_mixnet.core.mailbox import Batch
from logos_mixnet.core.ports import GossipHost
from logos_mixnet.operations.inbox import Inbox, Inboxes
from logos_module.driver import Driver


@dataclass(frozen=True, slots=True)
class Subscription:
    """One local reader of one topic."""

    batches: Inbox[Batch]
    judge: Callable[[Sequence[tuple[bytes, core.Verdict]]], None]
    """Takes verdicts on messages by id; those on unknown messages are dropped."""


class GossipOperations:
    """The gossip of one node."""

    def __init__(
        self,
        host: GossipHost,
        now_ms: Callable[[], int],
        *,
        max_message_bytes: int = core.MAX_MESSAGE_BYTES,
    ) -> None:
        self.machine = core.Gossip()
        self.driver: Driver[core.Effect] = Driver(self.machine, self._perform, now_ms)
        self.readers: Inboxes[core.Reader, Batch] = Inboxes()
        self._host = host
        self._max_message_bytes = max_message_bytes

    async def publish(self, topic: str, data: bytes) -> bytes:
        """Publishes a message; returns its id (NET-6)."""
        core.check_topic(topic)
        core.check_message(data, self._max_message_bytes)
        await self._host.publish(topic, data)
        return core.message_id(data)

    async def topics(self) -> list[core.FollowedTopic]:
        """Returns the topics that this node follows, by name."""
        return await self._host.topics()

    @asynccontextmanager
    async def subscribe(self, topic: str, *, validates: bool) -> AsyncIterator[Subscription]:
        """Subscribes for as long as the context is open."""
        reader = core.Reader(topic, validates)

        def judge(verdicts: Sequence[tuple[bytes, core.Verdict]]) -> None:
            self.driver.put(self.machine.judge, reader, verdicts)

        with self.readers.open(reader, reader.mailbox.take) as batches:
            try:
                await self.driver.ask(self.machine.join, reader)
                yield Subscription(batches, judge)
            finally:
                self.driver.put(self.machine.leave, reader)

    def _perform(self, effect: core.Effect) -> None:
        match effect:
            case core.Judge():
                self._host.judge(*effect)
            case core.Arrived(reader):
                self.readers.wake(reader)
            case core.Follow(topic):
                self._host.follow(topic)
            case core.Leave(topic):
                self._host.leave(topic)
