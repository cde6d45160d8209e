"""What the machine of SDS is told, and what it says.

Spec: docs/protocol/channels.md, CHN-9 to CHN-23.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from logos_delivery.core.channels.repair import Times
from logos_delivery.core.channels.sds_message import SdsMessage
from logos_delivery.core.channels.sds_outgoing import Patience, Unacknowledged


class IgnoreReason(StrEnum):
    """Why a received message was not used."""

    MALFORMED = "malformed"
    FOREIGN = "foreign"
    OWN = "own"
    DUPLICATE = "duplicate"
    TOO_OLD = "too_old"
    NO_ROOM = "no_room"


@dataclass(frozen=True, slots=True)
class Deliver:
    """All that the message follows was delivered before it."""

    message: SdsMessage


@dataclass(frozen=True, slots=True)
class Park:
    """The message waits for others."""

    message: SdsMessage


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A participant has received one of this one's messages."""

    one: Unacknowledged


@dataclass(frozen=True, slots=True)
class NotAcknowledged:
    """One of this one's messages was repeated in vain."""

    one: Unacknowledged


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send a message: one to be acknowledged, a sync message, or another participant's."""

    message_id: str
    raw: bytes
    is_ephemeral: bool
    """Whether stores are not to keep it: they have it, or it is of the moment."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Look for messages in a store, by their hashes; what is found is received."""

    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages that others follow were given up."""

    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ignored:
    """A received message was not used."""

    reason: IgnoreReason


Effect = Deliver | Park | Acknowledged | NotAcknowledged | Transmit | Fetch | Lost | Ignored


@dataclass(frozen=True, slots=True)
class SdsConfig:
    """How one participant behaves. Those of a channel agree on `times`."""

    channel_id: str
    participant: str
    history: int = 2
    """Messages that a message names, beside those that no other names."""
    filter_bytes: int = 256
    """0: none is sent."""
    patience: Patience = field(default_factory=Patience)
    times: Times = field(default_factory=Times)
    lost_after_ms: int = 300_000
    """What is missing for so long is given up."""
    sync_ms: int = 30_000
    """A silent channel hears of its participants after that, and up to that again; 0: never."""
    log_entries: int = 2048
