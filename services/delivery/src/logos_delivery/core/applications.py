"""What is remembered for the applications of this node: events, requests, subscriptions.

Spec: docs/protocol/delivery.md, DEL-20 to DEL-23.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from logos_delivery.core.message import Message
from logos_delivery.core.sending.request import Event, Request

KEPT_EVENTS: Final = 100_000
KEPT_EVENT_BYTES: Final = 256 * 1024 * 1024
KEPT_REQUEST_MS: Final = 60 * 60 * 1000
"""So long a request that has ended is known."""
PAGE_EVENTS: Final = 100
PAGE_BYTES: Final = 1024 * 1024

RECEIVED: Final = "received"
CONNECTION: Final = "connection"


@dataclass(frozen=True, slots=True)
class Received:
    """A message for the applications."""

    message_hash: bytes
    pubsub_topic: str
    message: Message


@dataclass(frozen=True, slots=True)
class Happening:
    """An event as it is kept."""

    position: int
    kind: str
    """`received`, `connection`, or the value of a `sending.request.EventKind`."""
    at_ms: int
    request_id: str = ""
    message_hash: bytes = b""
    pubsub_topic: str = ""
    content_topic: str = ""
    message: Message | None = None
    text: str = ""
    """Why, of an error; or the status of the connection."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted; what is empty says nothing."""

    kinds: frozenset[str] = frozenset()
    content_topics: frozenset[str] = frozenset()
    request_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order of their positions."""

    events: Sequence[Happening]
    position: int
    """Up to where was looked."""
    has_gap: bool
    """Whether events after the place that was asked for were removed."""
    is_last: bool
    """Whether no event stands after its position."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request under a caller's key."""

    key: str
    digest: bytes
    """Of what was asked for, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A request as it is to be stored."""

    request: Request
    event: Event | None = None
    """What the applications are told of it."""
    asked: Asked | None = None
    """The key under which it was asked for, where it is new."""


class Notes(Protocol):
    """Numbers that are remembered over restarts, by name."""

    async def note(self, name: str, value: int) -> None:
        """Remembers a number."""
        ...

    async def noted(self, name: str) -> int | None:
        """Returns a remembered number."""
        ...


class Applications(Notes, Protocol):
    """The durable state. Errors of all methods: DiskFullError, StoreFailedError."""

    async def receive(self, messages: Sequence[Received], at_ms: int) -> None:
        """Appends received messages, all of them or none."""
        ...

    async def save(self, saves: Sequence[Saved], at_ms: int) -> None:
        """Stores requests, and appends their events in this order, in one transaction."""
        ...

    async def tell(self, kind: str, text: str, at_ms: int) -> None:
        """Appends an event of the node itself."""
        ...

    async def events(self, after: int, wanted: EventFilter) -> EventPage:
        """Returns a page of events after a position."""
        ...

    async def newest_position(self) -> int:
        """Returns the position of the newest event; 0 if there was none yet."""
        ...

    async def newest_hashes(self, limit: int) -> Sequence[bytes]:
        """Returns the hashes of the newest received messages, oldest first."""
        ...

    async def request(self, request_id: str) -> Request | None:
        """Returns a request."""
        ...

    async def request_of(self, key: str) -> tuple[Request, bytes] | None:
        """Returns the request that was asked for with a key, and the digest of what was."""
        ...

    async def pending(self) -> Sequence[Request]:
        """Returns the requests that have not ended, oldest first."""
        ...

    async def subscribe(self, topics: Collection[tuple[str, str]]) -> None:
        """Keeps content topics, each with its pubsub topic."""
        ...

    async def unsubscribe(self, content_topics: Collection[str]) -> None:
        """Removes content topics."""
        ...

    async def subscriptions(self) -> Sequence[tuple[str, str]]:
        """Returns the content topics, in alphabetical order, with their pubsub topics."""
        ...

    async def trim(self, now_ms: int) -> None:
        """Removes the oldest events over the limits, and requests that ended an hour ago."""
        ...
