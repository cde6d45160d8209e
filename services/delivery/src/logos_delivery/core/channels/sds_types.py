"""The effects of the machine of SDS, and its configuration.

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
    """Another participant has received a message of this one."""

    one: Unacknowledged


@dataclass(frozen=True, slots=True)
class NotAcknowledged:
    """A message of this participant was repeated, and still not acknowledged."""

    one: Unacknowledged


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send a message: one to be acknowledged, a sync message, or another participant's."""

    message_id: str
    raw: bytes
    is_ephemeral: bool
    """Whether stores are not to keep it: they have it already, or it is soon out of date."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Look for messages in a store, by their hashes; what is found is received."""

    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """Missing messages, which others follow, were given up."""

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
    """How many earlier messages a message names, besides those that no other one names."""
    filter_bytes: int = 256
    """Size of the Bloom filter; 0: none is sent."""
    patience: Patience = field(default_factory=Patience)
    times: Times = field(default_factory=Times)
    lost_after_ms: int = 300_000
    """After this time a missing message is given up."""
    sync_ms: int = 30_000
    """After so much silence, and at most as much again, a sync message is sent; 0: never."""
    log_entries: int = 2048
