"""Events of a node: values, limits, and what is refused (KER-34 to KER-39)."""

from dataclasses import dataclass
from typing import Final

from logos_base.errors import ErrorKind, LogosError
from logos_base.machine import Ticket

OPERATOR: Final = "operator"
"""Owns the topics and groups of operators."""

TRANSITIONS: Final = "kernel/transition"
"""The topic of the kernel itself (KER-39)."""

MAX_PAYLOAD_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 16
MAX_HEADERS_BYTES: Final = 1024
MAX_BATCH: Final = 1000
MAX_BATCH_BYTES: Final = 1024 * 1024
MAX_KEY: Final = 64
MAX_TOPICS: Final = 1024
MAX_TOPICS_OF_MODULE: Final = 64
MAX_PATTERNS: Final = 16
PAGE: Final = 256
"""Events that are read, and sent, at once."""

PAGE_BYTES: Final = 256 * 1024
OVERHEAD_BYTES: Final = 64
"""What an event counts for retention, beside its payload and headers."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What a publisher says."""

    payload: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes, as counted for retention."""
        named = sum(len(name.encode()) + len(value.encode()) for name, value in self.headers)
        return OVERHEAD_BYTES + len(self.payload) + named


@dataclass(frozen=True, slots=True)
class Event:
    """One event that is durable, or about to be."""

    position: int
    """Counts the events of the node from 1."""
    topic: str
    sequence: int
    """Counts the events of the topic from 1, without gaps."""
    epoch: int
    at_ms: int
    """Wall clock, milliseconds since 1970 UTC."""
    said: NewEvent


@dataclass(frozen=True, slots=True)
class Batch:
    """Events to be published together."""

    topic: str
    publisher: str
    epoch: int
    events: tuple[NewEvent, ...]
    key: str = ""
    """Names the batch among those of the publisher and epoch; empty: none does."""
    oldest_epoch: int = 0
    """Of the publisher's processes that may still publish; 0: `epoch`."""

    @property
    def size(self) -> int:
        """Bytes, as counted for retention."""
        return sum(one.size for one in self.events)


@dataclass(frozen=True, slots=True)
class Published:
    """Where a batch is."""

    first: int
    """Sequence."""
    last: int
    """Sequence."""
    position: int
    """Of the last."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A batch that was published with a key."""

    publisher: str
    epoch: int
    key: str
    topic: str
    published: Published


@dataclass(frozen=True, slots=True)
class Removed:
    """Up to where events of a topic are removed."""

    topic: str
    sequence: int
    position: int


@dataclass(frozen=True, slots=True)
class KeysUpTo:
    """Keys of a publisher that are forgotten: of earlier epochs, and up to a position."""

    publisher: str
    epoch: int
    position: int


@dataclass(frozen=True, slots=True)
class Commit:
    """What is written in one transaction."""

    events: tuple[Event, ...]
    keys: tuple[KnownKey, ...] = ()
    removed: tuple[Removed, ...] = ()
    forgotten: tuple[KeysUpTo, ...] = ()
    tickets: tuple[tuple[Ticket, Published], ...] = ()
    """Whose questions it answers; not stored."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Neighbouring events of a topic: what is removed at once."""

    number: int
    """Of all its sequences, divided by the size of segments."""
    first: int
    last: int
    last_position: int
    size: int


@dataclass(frozen=True, slots=True)
class PastLog:
    """What is stored of a log."""

    segments: tuple[tuple[str, Segment], ...] = ()
    """With their topics; by topic and number."""
    removed: tuple[Removed, ...] = ()
    keys: tuple[KnownKey, ...] = ()
    """Oldest first."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the log, read at once."""

    events: tuple[Event, ...]
    position: int
    """All that matches up to it is here, or was removed."""
    removed: tuple[Removed, ...] = ()
    """Of topics that match: what has been removed after the position that was asked from."""


@dataclass(frozen=True, slots=True)
class Group:
    """A queue group, as it is stored. What is settled out of order is not."""

    name: str
    """With its owner: `module/group`, `operator/group`."""
    topics: tuple[str, ...]
    position: int
    """All up to it is settled."""
    used_at_ms: int
    """When a member was last there; wall clock."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a group could not deal with."""

    id: int
    group: str
    event: Event
    refusals: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Of retention, and of what waits."""

    topic_events: int = 10_000
    topic_bytes: int = 16 * 1024 * 1024
    all_bytes: int = 128 * 1024 * 1024
    segment: int = 64
    """Events that are removed at once, at most; so many more may be kept."""
    waiting_bytes: int = 8 * 1024 * 1024
    commit_bytes: int = 2 * 1024 * 1024
    keys: int = 128
    """Of a publisher."""
    tail_bytes: int = 4 * 1024 * 1024
    """Newest events that are kept in memory."""


DEFAULT_LIMITS: Final = Limits()


class InvalidEventError(LogosError):
    """A field of a request about events is missing, malformed or too large."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_EVENT"


class TopicNotOwnedError(LogosError):
    """Only its module publishes on a topic (KER-34)."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "TOPIC_NOT_OWNED"


class SubscriptionDeniedError(LogosError):
    """The module does not declare that it reads this (KER-36)."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "SUBSCRIPTION_DENIED"


class KeyReusedError(LogosError):
    """The key was given to other events (KER-34)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "KEY_REUSED"


class TooManyTopicsError(LogosError):
    """A module, or the node, has no room for another topic."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_TOPICS"


class QueueFullError(LogosError):
    """Too much waits to be written."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "QUEUE_FULL"
    retry_after_ms = 100


class UnknownTopicError(LogosError):
    """Nothing was ever published on it."""

    kind = ErrorKind.NOT_FOUND
    reason = "TOPIC_NOT_FOUND"


class EventsRemovedError(LogosError):
    """What was asked for is no longer kept (KER-35)."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "HISTORY_COMPACTED"


class UnknownPositionError(LogosError):
    """The node has not come to that position (KER-36)."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "POSITION_UNKNOWN"


class UnknownSequenceError(LogosError):
    """The topic has not come to that sequence (KER-36)."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "SEQUENCE_UNKNOWN"


class TooManySubscriptionsError(LogosError):
    """A node serves so many streams of events."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_SUBSCRIPTIONS"


class TooManyGroupsError(LogosError):
    """A node keeps so many groups."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_GROUPS"


class GroupMismatchError(LogosError):
    """The group reads other topics (KER-37)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "GROUP_MISMATCH"


class NotInFlightError(LogosError):
    """The event was not delivered to this member, or is settled (KER-37)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "NOT_IN_FLIGHT"


class UnknownDeadLetterError(LogosError):
    """No such letter of that group (KER-38)."""

    kind = ErrorKind.NOT_FOUND
    reason = "DEAD_LETTER_NOT_FOUND"
