"""Gossip: messages of the host to local readers, verdicts and messages back.

Rules are in core/topics.py and core/verdicts.py.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from logos_base.errors import LogosError
from logos_mixnet.core.errors import (
    DrainingError,
    DuplicateMessageError,
    MessageSizeError,
    NoPeersError,
    QueueFullError,
)
from logos_mixnet.core.mailbox import Batch, Message
from logos_mixnet.core.ports import Clock
from logos_mixnet.core.topics import (
    Effect,
    Follow,
    Leave,
    Reader,
    Topics,
    check_message,
    check_topic,
)
from logos_mixnet.core.verdicts import Judge, Verdict
from logos_mixnet.net.host import HostBridge

EXPIRY_STEP_S: Final = 0.25


class LocalSubscription:
    """One reader of one topic."""

    def __init__(self, gossip: "Gossip", reader: Reader) -> None:
        self._gossip = gossip
        self.reader = reader
        self.arrived = asyncio.Event()

    async def take(self) -> Batch:
        """Waits for messages. Raises `DrainingError` when the module is about to stop."""
        while not self.reader.mailbox:
            if self._gossip.closed:
                raise DrainingError("the network module is about to stop")
            self.arrived.clear()
            await self.arrived.wait()
        return self.reader.mailbox.take()

    def judge(self, message_id: bytes, verdict: Verdict) -> None:
        """Gives a verdict; unknown messages are ignored."""
        self._gossip.judge(self.reader, message_id, verdict)


class Gossip:
    """The gossip of one node."""

    def __init__(self, bridge: HostBridge, clock: Clock) -> None:
        self._bridge = bridge
        self._clock = clock
        self._topics = Topics()
        self._subscriptions: dict[Reader, LocalSubscription] = {}
        self._held = asyncio.Event()
        self.closed = False
        bridge.answers("PublishDone")
        bridge.on("Message", self._receive)
        bridge.on("MessagesLost", self._lose)

    async def publish(self, topic: str, data: bytes) -> bytes:
        """Publishes a message; returns its id (NET-6)."""
        check_topic(topic)
        check_message(data)
        done = await self._bridge.answer(self._bridge.host.publish(topic, data))
        if done.error is not None:
            raise publish_error(done.error)
        return message_id(data)

    @contextmanager
    def subscribe(self, topic: str, *, validates: bool) -> Iterator[LocalSubscription]:
        """Subscribes for as long as the context is open."""
        reader, effects = self._topics.join(topic, validates=validates)
        subscription = self._subscriptions[reader] = LocalSubscription(self, reader)
        try:
            self._obey(effects)
            yield subscription
        finally:
            del self._subscriptions[reader]
            self._obey(self._topics.leave(reader))

    def judge(self, reader: Reader, name: bytes, verdict: Verdict) -> None:
        """Passes a reader's verdict on."""
        effect = self._topics.judge(reader, name, verdict)
        if effect is not None:
            self._obey([effect])

    async def run(self) -> None:
        """Ignores messages that nobody judges in time, until cancelled (NET-8)."""
        while True:
            await self._held.wait()
            self._held.clear()
            while self._topics.pending:
                await asyncio.sleep(EXPIRY_STEP_S)
                self._obey(self._topics.pending.expire(self._clock.now_ms()))

    def close(self) -> None:
        """Ends every subscription."""
        self.closed = True
        for subscription in self._subscriptions.values():
            subscription.arrived.set()

    def _receive(self, event: Any) -> None:
        message = Message(
            event.topic, event.message_id, event.data, event.from_peer_id, event.received_unix_us
        )
        readers, verdicts = self._topics.receive(message, self._clock.now_ms())
        self._wake(readers)
        self._obey(verdicts)
        if self._topics.pending:
            self._held.set()

    def _lose(self, event: Any) -> None:
        self._wake(self._topics.lose(event.topic, event.count))

    def _wake(self, readers: Iterable[Reader]) -> None:
        for reader in readers:
            self._subscriptions[reader].arrived.set()

    def _obey(self, effects: Iterable[Effect]) -> None:
        host = self._bridge.host
        for effect in effects:
            match effect:
                case Judge():
                    host.judge(effect.message_id, effect.from_peer_id, effect.verdict)
                case Follow():
                    host.subscribe(effect.topic)
                case Leave():
                    host.unsubscribe(effect.topic)


def message_id(data: bytes) -> bytes:
    """Returns the id of a message: sha256 of its bytes, whatever the topic (NET-6)."""
    return hashlib.sha256(data).digest()


def publish_error(error: str) -> LogosError:
    """Turns the host's word for why nothing was published into an error."""
    if error == "duplicate":
        return DuplicateMessageError("the same bytes were seen within the last two minutes")
    if error == "queue_full":
        return QueueFullError("every peer is slower than this sender")
    if error == "too_large":
        return MessageSizeError("the message does not fit into the network's frames")
    return NoPeersError(f"no connected peer took the message: {error}")
