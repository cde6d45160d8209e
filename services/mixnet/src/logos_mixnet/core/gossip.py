"""Local subscriptions: which reader follows which topic, and which one judges its messages.

Where a topic has a validator, its messages are held back from other nodes until judged.

Spec: docs/protocol/network.md, NET-6 (ids), NET-7 (limits), NET-8 (validation).
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final, Literal

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.errors import InvalidTopicError, MessageSizeError, ValidatorExistsError
from logos_mixnet.core.mailbox import Mailbox, Message

Verdict = Literal["accept", "reject", "ignore"]

MAX_TOPIC_BYTES: Final = 256
MAX_MESSAGE_BYTES: Final = 150 * 1024
VERDICT_TIMEOUT_MS: Final = 4_000
MAX_PENDING: Final = 65_536


@dataclass(frozen=True, slots=True)
class Follow:
    """Subscribe to a topic."""

    topic: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Unsubscribe from a topic."""

    topic: str


@dataclass(frozen=True, slots=True)
class Judge:
    """Tell the host a verdict."""

    message_id: bytes
    from_peer_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """One local subscriber of one topic."""

    topic: str
    validates: bool
    mailbox: Mailbox = field(default_factory=Mailbox)


@dataclass(frozen=True, slots=True)
class Arrived:
    """Tell a reader that its mailbox has something."""

    reader: Reader


Effect = Follow | Leave | Judge | Arrived
Effects = list[Effect | Answer | Refuse]


@dataclass(frozen=True, slots=True)
class _Pending:
    topic: str
    from_peer_id: str
    deadline_ms: int


class Gossip:
    """The subscriptions of one node. Not thread-safe."""

    def __init__(self, *, max_pending: int = MAX_PENDING) -> None:
        self._max_pending = max_pending
        self._readers: dict[str, list[Reader]] = {}
        self._pending: dict[bytes, _Pending] = {}  # in the order of their deadlines

    def join(self, ticket: Ticket, reader: Reader, now_ms: int) -> Effects:
        """Adds a reader.

        Raises:
            InvalidTopicError: The topic is not 1 to 256 bytes.
            ValidatorExistsError: It asks to validate, and another reader does.
        """
        check_topic(reader.topic)
        readers = self._readers.get(reader.topic, [])
        if reader.validates and any(other.validates for other in readers):
            raise ValidatorExistsError(f"another call validates topic {reader.topic!r}")
        self._readers[reader.topic] = [*readers, reader]
        return [Answer(ticket)] if readers else [Follow(reader.topic), Answer(ticket)]

    def leave(self, reader: Reader, now_ms: int) -> Effects:
        """Removes a reader; what it has not judged is ignored. Idempotent."""
        readers = self._readers.get(reader.topic, [])
        if reader not in readers:
            return []
        readers.remove(reader)
        effects: Effects = []
        if reader.validates:
            left = [name for name, each in self._pending.items() if each.topic == reader.topic]
            effects += [self._ignore(name) for name in left]
        if not readers:
            del self._readers[reader.topic]
            effects.append(Leave(reader.topic))
        return effects

    def receive(self, message: Message, now_ms: int) -> Effects:
        """Takes a message from the network."""
        readers = self._readers.get(message.topic)
        if not readers:
            return [Judge(message.message_id, message.from_peer_id, "ignore")]
        effects: Effects = []
        verdict: Verdict | None = "accept"
        for reader in readers:
            kept = reader.mailbox.put(message)
            effects.append(Arrived(reader))
            if reader.validates:  # what its validator has lost is never judged by it
                verdict = None if kept else "ignore"
        if verdict is not None:
            return [*effects, Judge(message.message_id, message.from_peer_id, verdict)]
        if len(self._pending) >= self._max_pending:
            effects.append(self._ignore(next(iter(self._pending))))
        deadline_ms = now_ms + VERDICT_TIMEOUT_MS
        pending = _Pending(message.topic, message.from_peer_id, deadline_ms)
        self._pending[message.message_id] = pending
        return effects

    def lose(self, topic: str, count: int, now_ms: int) -> Effects:
        """Counts messages that the host has dropped."""
        readers = self._readers.get(topic, [])
        for reader in readers:
            reader.mailbox.lose(count)
        return [Arrived(reader) for reader in readers]

    def judge(self, reader: Reader, message_id: bytes, verdict: Verdict, now_ms: int) -> Effects:
        """Takes a verdict; no effect where the message is unknown, judged, or not its to judge."""
        pending = self._pending.get(message_id)
        if pending is None or pending.topic != reader.topic or not reader.validates:
            return []
        del self._pending[message_id]
        return [Judge(message_id, pending.from_peer_id, verdict)]

    def tick(self, now_ms: int) -> Effects:
        """Ignores messages that were not judged in time."""
        effects: Effects = []
        while self._pending:
            message_id, oldest = next(iter(self._pending.items()))
            if oldest.deadline_ms > now_ms:
                break
            effects.append(self._ignore(message_id))
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns the deadline of the oldest message that waits for a verdict."""
        oldest = next(iter(self._pending.values()), None)
        return None if oldest is None else oldest.deadline_ms

    def _ignore(self, message_id: bytes) -> Judge:
        return Judge(message_id, self._pending.pop(message_id).from_peer_id, "ignore")


def message_id(data: bytes) -> bytes:
    """Returns the id of a message: sha256 of its bytes, whatever the topic (NET-6)."""
    return hashlib.sha256(data).digest()


def check_topic(topic: str) -> None:
    """Raises `InvalidTopicError` unless a topic has 1 to 256 bytes (NET-7)."""
    if not 1 <= len(topic.encode()) <= MAX_TOPIC_BYTES:
        raise InvalidTopicError(f"a topic has 1 to {MAX_TOPIC_BYTES} bytes of UTF-8")


def check_message(data: bytes) -> None:
    """Raises `MessageSizeError` unless a message has 1 byte to 150 KiB (NET-7)."""
    if not 1 <= len(data) <= MAX_MESSAGE_BYTES:
        raise MessageSizeError(
            f"a message has 1 to {MAX_MESSAGE_BYTES} bytes, this one {len(data)}"
        )
