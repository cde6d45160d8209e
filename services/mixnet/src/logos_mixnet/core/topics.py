"""Local subscriptions: who reads which topic, and who judges its messages.

Pure. Spec: docs/protocol/network.md, NET-7 (limits), NET-8 (validation).
"""

from dataclasses import dataclass
from typing import Final

from logos_mixnet.core.errors import InvalidTopicError, MessageSizeError, ValidatorExistsError
from logos_mixnet.core.mailbox import Mailbox, Message
from logos_mixnet.core.verdicts import Judge, PendingVerdicts, Verdict

MAX_TOPIC_BYTES: Final = 256
MAX_MESSAGE_BYTES: Final = 150 * 1024


@dataclass(frozen=True, slots=True)
class Follow:
    """Subscribe to a topic."""

    topic: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Unsubscribe from a topic."""

    topic: str


Effect = Follow | Leave | Judge


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """One local subscriber of one topic."""

    topic: str
    validates: bool
    mailbox: Mailbox


class Topics:
    """The local readers of every topic."""

    def __init__(self) -> None:
        self._readers: dict[str, list[Reader]] = {}
        self.pending = PendingVerdicts()

    def join(self, topic: str, *, validates: bool) -> tuple[Reader, list[Effect]]:
        """Adds a reader.

        Raises:
            InvalidTopicError: The topic is not 1 to 256 bytes.
            ValidatorExistsError: It asks to validate, and another reader does.
        """
        check_topic(topic)
        readers = self._readers.setdefault(topic, [])
        if validates and any(reader.validates for reader in readers):
            raise ValidatorExistsError(f"another call validates topic {topic!r}")
        reader = Reader(topic, validates, Mailbox())
        readers.append(reader)
        return reader, [Follow(topic)] if len(readers) == 1 else []

    def leave(self, reader: Reader) -> list[Effect]:
        """Removes a reader; what it has not judged is ignored. Idempotent."""
        readers = self._readers.get(reader.topic, [])
        if reader not in readers:
            return []
        readers.remove(reader)
        effects: list[Effect] = []
        if reader.validates:
            effects += self.pending.abandon(reader.topic)
        if not readers:
            del self._readers[reader.topic]
            effects.append(Leave(reader.topic))
        return effects

    def receive(self, message: Message, now_ms: int) -> tuple[list[Reader], list[Judge]]:
        """Takes a message from the network; returns who has it now, and verdicts."""
        readers = self._readers.get(message.topic)
        if not readers:
            return [], [Judge(message.message_id, message.from_peer_id, "ignore")]
        verdict: Verdict | None = "accept"
        for reader in readers:
            kept = reader.mailbox.put(message)
            if reader.validates:  # what its validator has lost is never judged by it
                verdict = None if kept else "ignore"
        if verdict is not None:
            return readers, [Judge(message.message_id, message.from_peer_id, verdict)]
        held = self.pending.hold(message.topic, message.message_id, message.from_peer_id, now_ms)
        return readers, held

    def lose(self, topic: str, count: int) -> list[Reader]:
        """Counts messages that the host has dropped; returns the readers to tell."""
        readers = self._readers.get(topic, [])
        for reader in readers:
            reader.mailbox.lose(count)
        return readers

    def judge(self, reader: Reader, message_id: bytes, verdict: Verdict) -> Judge | None:
        """Takes a verdict; None where the message is unknown, judged, or not its to judge."""
        if not reader.validates:
            return None
        return self.pending.judge(reader.topic, message_id, verdict)


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
