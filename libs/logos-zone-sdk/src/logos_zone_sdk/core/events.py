"""What leaves a sequencer's machine: events for its zone, and wishes to the node.

Spec: docs/protocol/zone-sdk.md, ZON-10 and ZON-11.
"""

from dataclasses import dataclass

from logos_mantle.channels import ChannelInscribe
from logos_zone_sdk.core.messages import ChannelMessage, Point
from logos_zone_sdk.core.places import Checkpoint


@dataclass(frozen=True, slots=True)
class Ready:
    """The sequencer has followed the channel up to the tip of the chain. Once."""

    last_message: bytes
    """Id, 32 bytes; zeros if the channel has no message."""


@dataclass(frozen=True, slots=True)
class Published:
    """A payload was taken. The checkpoint must be durable before anything else is done."""

    number: int
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Built:
    """A payload has become a message; again if another sequencer's has taken its place."""

    number: int
    message: bytes
    """Id, 32 bytes."""
    parent: bytes
    replaces: bytes | None
    """The message that it was before."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The node has taken a message; again if a block with it has left the chain."""

    number: int
    message: bytes


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The node has not taken a message, and is given it again later."""

    number: int
    message: bytes
    reason: str
    """The node's, e.g. `WALLET_FUNDS_INSUFFICIENT`."""


@dataclass(frozen=True, slots=True)
class Included:
    """A block of the local chain has the message of an own payload; once for each block."""

    number: int
    message: bytes
    block: Point


@dataclass(frozen=True, slots=True)
class Adopted:
    """A message that is none of the own payloads is the channel's now."""

    message: ChannelMessage


@dataclass(frozen=True, slots=True)
class Orphaned:
    """An adopted message has left the channel, the newest first. Own payloads never do."""

    message: bytes


@dataclass(frozen=True, slots=True)
class FinalMessage:
    """A message that will never leave the channel."""

    id: bytes
    number: int | None
    """Of the own payload that it has; None: of another's message."""
    block: Point


@dataclass(frozen=True, slots=True)
class Finalized:
    """Messages are final, in the order of the channel; each once."""

    messages: tuple[FinalMessage, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class LookAtChannel:
    """Asks for the channel at the tip: `channel_seen` is the outcome."""


@dataclass(frozen=True, slots=True)
class Submit:
    """Wants a message paid for, signed and given to the node.

    The outcome is `submitted` or `not_submitted`.
    """

    number: int
    message: bytes
    operation: ChannelInscribe


ZoneEvent = Ready | Published | Built | Taken | NotTaken | Included | Adopted | Orphaned | Finalized
ZoneEffect = ZoneEvent | LookAtChannel | Submit
