"""Local subscriptions: which reader follows which topic, and which one judges its messages.

Where a topic has a validator, its messages are held back from other nodes until judged.

Spec: docs/protocol/network.md, NET-6 (ids), NET-7 (limits), NET-8 (validation), NET-23 (leaving).
"""

import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.errors import InvalidTopicError, MessageSizeError, ValidatorExistsError
from logos_mixnet.core.mailbox import Mailbox, Message

Verdict = Literal["accept", "reject", "ignore"]

MAX_TOPIC_BYTES: Final = 256
MAX_MESSAGE_BYTES: Final = 150 * 1024
"""Of a message, unless a profile says otherwise."""
TOP_MESSAGE_BYTES: Final = 1024 * 1024
"""What it may say at most."""
VERDICT_TIMEOUT_MS: Final = 4_000
MAX_HELD: Final = 65_536
LINGER_MS: Final = 60_000
"""As long as neighbours refuse one who left a topic: their back-off (NET-23)."""
MAX_LINGERING: Final = 64


class TopicPeer(NamedTuple):
    """A connected peer that follows a topic."""

    peer_id: str
    is_in_mesh: bool
    score: float


class FollowedTopic(NamedTuple):
    """A topic that this node follows, and who else does, by peer id."""

    topic: str
    peers: list[TopicPeer]


@dataclass(frozen=True, slots=True)
class Follow:
    """Subscribe to a topic."""

    topic: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Unsubscribe from a topic."""

    topic: str


class Judge(NamedTuple):
    """Give the host a verdict."""

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
    """Wake a reader: its mailbox has something."""

    reader: Reader


Effect = Follow | Leave | Judge | Arrived
Effects = list[Effect | Answer | Refuse]


class _Held(NamedTuple):
    """A message that waits for the verdict of its validator."""

    topic: str
    from_peer_id: str
    deadline_ms: int


class Gossip:
    """The subscriptions of one node. Not thread-safe."""

    def __init__(self, *, max_held: int = MAX_HELD) -> None:
        self._max_held = max_held
        self._readers: dict[str, list[Reader]] = {}
        self._held: OrderedDict[bytes, _Held] = OrderedDict()  # by deadline; long queues stay fast
        self._lingering: OrderedDict[str, int] = OrderedDict()
        """Topics without readers, and when each is left: the earliest first."""

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
        is_followed = bool(readers) or self._lingering.pop(reader.topic, None) is not None
        return [Answer(ticket)] if is_followed else [Follow(reader.topic), Answer(ticket)]

    def leave(self, reader: Reader, now_ms: int) -> Effects:
        """Removes a reader; what it has not judged is ignored. Idempotent."""
        readers = self._readers.get(reader.topic, [])
        if reader not in readers:
            return []
        readers.remove(reader)
        effects: Effects = []
        if reader.validates:
            left = [name for name, held in self._held.items() if held.topic == reader.topic]
            effects += [self._ignore(name) for name in left]
        if not readers:
            del self._readers[reader.topic]
            self._lingering[reader.topic] = now_ms + LINGER_MS
            if len(self._lingering) > MAX_LINGERING:
                effects.append(Leave(self._lingering.popitem(last=False)[0]))
        return effects

    def receive(self, messages: Iterable[Message], now_ms: int) -> Effects:
        """Takes messages from the network."""
        verdicts: Effects = []
        arrived: dict[Reader, None] = {}
        for message in messages:
            readers = self._readers.get(message.topic, ())
            verdict: Verdict | None = "accept" if readers else "ignore"
            for reader in readers:
                is_kept = reader.mailbox.put(message)
                arrived[reader] = None
                if reader.validates:  # what its validator has lost is never judged by it
                    verdict = None if is_kept else "ignore"
            if verdict is None:
                deadline_ms = now_ms + VERDICT_TIMEOUT_MS
                held = _Held(message.topic, message.from_peer_id, deadline_ms)
                self._held[message.message_id] = held
            else:
                verdicts.append(Judge(message.message_id, message.from_peer_id, verdict))
        while len(self._held) > self._max_held:
            verdicts.append(self._ignore(next(iter(self._held))))
        return [*map(Arrived, arrived), *verdicts]

    def lose(self, topic: str, count: int, now_ms: int) -> Effects:
        """Counts messages that the host has dropped."""
        readers = self._readers.get(topic, [])
        for reader in readers:
            reader.mailbox.lose(count)
        return [Arrived(reader) for reader in readers]

    def judge(
        self, reader: Reader, verdicts: Iterable[tuple[bytes, Verdict]], now_ms: int
    ) -> Effects:
        """Takes verdicts on messages by id; those on messages that are not held are dropped."""
        effects: Effects = []
        for name, verdict in verdicts:
            held = self._held.get(name)
            if held is not None and held.topic == reader.topic and reader.validates:
                del self._held[name]
                effects.append(Judge(name, held.from_peer_id, verdict))
        return effects

    def tick(self, now_ms: int) -> Effects:
        """Ignores messages that were not judged in time, and leaves topics that have no reader."""
        effects: Effects = []
        while self._held and next(iter(self._held.values())).deadline_ms <= now_ms:
            effects.append(self._ignore(next(iter(self._held))))
        while self._lingering and next(iter(self._lingering.values())) <= now_ms:
            effects.append(Leave(self._lingering.popitem(last=False)[0]))
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when the next message must be judged, or the next topic is left."""
        times = [held.deadline_ms for held in itertools.islice(self._held.values(), 1)]
        return min([*times, *itertools.islice(self._lingering.values(), 1)], default=None)

    def _ignore(self, name: bytes) -> Judge:
        return Judge(name, self._held.pop(name).from_peer_id, "ignore")


def message_id(data: bytes) -> bytes:
    """Returns the id of a message: sha256 of its bytes, whatever the topic (NET-6)."""
    return hashlib.sha256(data).digest()


def check_topic(topic: str) -> None:
    """Raises `InvalidTopicError` unless a topic has 1 to 256 bytes (NET-7)."""
    if not 1 <= len(topic.encode()) <= MAX_TOPIC_BYTES:
        raise InvalidTopicError(f"a topic has 1 to {MAX_TOPIC_BYTES} bytes of UTF-8")


def check_message(data: bytes, max_bytes: int) -> None:
    """Raises `MessageSizeError` unless a message has 1 byte to as many as a node takes (NET-7)."""
    if not 1 <= len(data) <= max_bytes:
        raise MessageSizeError(f"a message has 1 to {max_bytes} bytes, this one {len(data)}")
