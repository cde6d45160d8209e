"""What is kept of the channels of this node: which are open, their records, and their events.

Spec: docs/protocol/channels.md, CHN-1, CHN-27, CHN-30.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from logos_delivery.core.channels.channel_types import Event
from logos_delivery.core.channels.errors import ChannelIdInvalidError
from logos_delivery.core.channels.journal import Records
from logos_delivery.core.channels.sds_message import MAX_ID_BYTES

MAX_CHANNELS: Final = 256
MAX_PAYLOAD_BYTES: Final = 15 * 1024 * 1024
"""Of an event: readers take messages of 16 MiB."""


class ChannelEventKind(StrEnum):
    """What an event tells; the names are the LIP's."""

    RECEIVED = "received"
    SENT = "sent"
    DELIVERED = "delivered"
    SEND_ERROR = "send-error"
    DELIVERY_ERROR = "delivery-error"
    HISTORY_LOST = "history-lost"


@dataclass(frozen=True, slots=True)
class Membership:
    """A channel, and who this node is in it."""

    channel_id: str
    content_topic: str
    sender_id: str
    key: bytes = b""
    """32 bytes (CHN-29); empty: its messages are not encrypted."""
    has_parity: bool = False
    created_ms: int = 0

    def check(self) -> None:
        """Raises `ChannelIdInvalidError` (CHN-9)."""
        for name, one in (("channel", self.channel_id), ("sender", self.sender_id)):
            if not 1 <= len(one.encode()) <= MAX_ID_BYTES:
                raise ChannelIdInvalidError(f"the id of a {name} has 1 to {MAX_ID_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class ChannelHappening:
    """An event as it is kept."""

    position: int
    kind: ChannelEventKind
    at_ms: int
    channel_id: str
    request_id: str = ""
    sender: str = ""
    payload: bytes = b""
    text: str = ""
    """Why, of an error."""
    lost: tuple[str, ...] = ()
    """Ids of messages of SDS."""


@dataclass(frozen=True, slots=True)
class ChannelEventFilter:
    """Which events are wanted; what is empty says nothing."""

    kinds: frozenset[str] = frozenset()
    channel_ids: frozenset[str] = frozenset()
    request_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ChannelEventPage:
    """Events in order of their positions."""

    events: Sequence[ChannelHappening]
    position: int
    """Up to where was looked."""
    has_gap: bool
    """Whether events after the place that was asked for were removed."""
    is_last: bool
    """Whether no event stands after its position."""


class ChannelStore(Protocol):
    """The durable state. Errors of all methods: DiskFullError, StoreFailedError."""

    async def add(self, channel: Membership) -> None:
        """Keeps a new channel, which has no records yet."""
        ...

    async def remove(self, channel_id: str) -> None:
        """Removes a channel and its records; its events stay."""
        ...

    async def channels(self) -> Sequence[Membership]:
        """Returns the channels that are open, in alphabetical order.

        Raises ChannelStateError: The key of one cannot be read.
        """
        ...

    async def records(self, channel_id: str) -> Records:
        """Returns the records of a channel."""
        ...

    async def commit(
        self,
        channel_id: str,
        changes: dict[str, bytes | None],
        events: Sequence[Event],
        at_ms: int,
    ) -> None:
        """Changes records (None: deletes) and appends events, in one transaction."""
        ...

    async def events(self, after: int, wanted: ChannelEventFilter) -> ChannelEventPage:
        """Returns a page of events after a position."""
        ...

    async def newest_position(self) -> int:
        """Returns the position of the newest event; 0 if there was none yet."""
        ...

    async def trim(self) -> None:
        """Removes the oldest events over the limits."""
        ...
