"""A request: one message that an application sends, and how far it has come.

Spec: docs/protocol/delivery-sending.md, DSN-1, DSN-2, DSN-8.
"""

from dataclasses import dataclass, replace
from enum import Enum

from logos_delivery.core.message import Message, message_hash

_NS_PER_MS = 1_000_000


class RequestState(Enum):
    """How far a request has come."""

    PARKED = "parked"
    """It waits for budget."""
    SENDING = "sending"
    """No other node is known to have it."""
    PROPAGATED = "propagated"
    SENT = "sent"
    """A store node has it."""
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    """It was propagated, and no store node was seen to have it in time."""


class EventKind(Enum):
    """What the application is told."""

    PROPAGATED = "propagated"
    SENT = "sent"
    ERROR = "error"
    UNCONFIRMED = "unconfirmed"


_KINDS = {
    RequestState.PROPAGATED: EventKind.PROPAGATED,
    RequestState.SENT: EventKind.SENT,
    RequestState.FAILED: EventKind.ERROR,
    RequestState.UNCONFIRMED: EventKind.UNCONFIRMED,
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell the application of a request."""

    kind: EventKind
    request_id: str
    message_hash: bytes
    """32 bytes: that under which it travels."""
    content_topic: str
    error: str = ""
    """For ERROR and UNCONFIRMED: why."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is stored. Times are Unix time in milliseconds."""

    request_id: str
    pubsub_topic: str
    message: Message
    message_hash: bytes
    """32 bytes, of `message` as it is stamped now."""
    via_mix: bool
    accepted_ms: int
    state: RequestState = RequestState.PARKED
    attempts: int = 0
    propagated_ms: int | None = None
    ended_ms: int | None = None
    """When its last event happened; a request that has ended is never loaded again."""
    error: str = ""
    """Why it failed, or why its last attempt did."""

    @property
    def size_bytes(self) -> int:
        """What it counts towards the limit of DSN-1."""
        return len(self.message.payload) + len(self.message.content_topic)

    @property
    def event(self) -> Event:
        """The event of its present state; there is none of PARKED and SENDING."""
        return Event(
            _KINDS[self.state],
            self.request_id,
            self.message_hash,
            self.message.content_topic,
            "" if self.state in {RequestState.PROPAGATED, RequestState.SENT} else self.error,
        )

    def stamped(self, timestamp_ns: int) -> "Request":
        """Returns it with another timestamp, so with another hash, and without a proof."""
        message = replace(self.message, timestamp_ns=timestamp_ns, proof=b"")
        return replace(self, message=message, message_hash=message_hash(self.pubsub_topic, message))

    def stamp_is_within(self, gap_ms: int, now_ms: int) -> bool:
        """Says whether its timestamp is at most so far from now."""
        return abs(now_ms - self.message.timestamp_ns // _NS_PER_MS) <= gap_ms


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What an application wants to send."""

    pubsub_topic: str
    message: Message
    """Its timestamp and its proof are set when it is sent."""
    via_mix: bool = False

    def request(self, request_id: str, timestamp_ns: int, now_ms: int) -> Request:
        """Returns the request for it, stamped."""
        request = Request(
            request_id, self.pubsub_topic, self.message, b"", self.via_mix, accepted_ms=now_ms
        )
        return request.stamped(timestamp_ns)


class Stamps:
    """Timestamps in nanoseconds, each later than the one before (DSN-2).

    Two equal messages of one millisecond would else have one hash, and one of them be lost.
    """

    def __init__(self) -> None:
        self._last_ns = 0

    def skip(self, timestamp_ns: int) -> None:
        """Takes note of one that was given before a restart."""
        self._last_ns = max(self._last_ns, timestamp_ns)

    def take(self, now_ms: int) -> int:
        """Returns the next one."""
        now_ns = now_ms * _NS_PER_MS
        if self._last_ns - now_ns > 1_000 * _NS_PER_MS:
            self._last_ns = now_ns  # the clock was set back
        self._last_ns = max(now_ns, self._last_ns + 1)
        return self._last_ns
