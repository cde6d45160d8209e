"""What a channel is told, and what it says.

Spec: docs/protocol/channels.md, CHN-24 to CHN-28. Source: LIP reliable-channel-api.
"""

from dataclasses import dataclass, field
from typing import Final

from logos_delivery.core.channels.reassembly import DropReason, Limits
from logos_delivery.core.channels.repair import Times
from logos_delivery.core.channels.sds_outgoing import Patience
from logos_delivery.core.channels.sds_types import Fetch, IgnoreReason, SdsConfig
from logos_delivery.core.channels.segmentation import (
    MAX_SEGMENT_BYTES,
    SEGMENT_BYTES,
)

MARKER: Final = b"RELIABLE-CHANNEL-API/1"
"""The meta of every message of a channel; others are not for channels (CHN-2)."""
MAX_OUTGOING_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """A payload is whole, and all that it follows was received before."""

    sender: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """All segments of a request have reached the network."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """All segments of a request were received by a participant. Ends the request."""

    request_id: str


@dataclass(frozen=True, slots=True)
class SendFailed:
    """A segment could not be sent to the network. Ends the request."""

    request_id: str
    error: str


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """A segment was repeated without being acknowledged. Ends the request."""

    request_id: str
    error: str


@dataclass(frozen=True, slots=True)
class HistoryLost:
    """Messages of others could not be had: what follows them is received without them."""

    message_ids: tuple[str, ...]


Event = Received | Sent | Delivered | SendFailed | DeliveryFailed | HistoryLost


@dataclass(frozen=True, slots=True)
class Commit:
    """Save records and events in one transaction, then hand the events over.

    Whatever comes after it among the effects of an input is done after it.
    """

    changes: dict[str, bytes | None]
    """Records by key, of this channel; None deletes one."""
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Encrypt content, send it with `MARKER` to the channel's topic; report how that ended.

    The report is `dispatched` or `not_dispatched`, once, with the key.
    """

    key: str
    content: bytes
    is_ephemeral: bool


@dataclass(frozen=True, slots=True)
class Discarded:
    """What a participant sent was of no use; for metrics."""

    reason: IgnoreReason | DropReason | None
    """None: the content was no segment."""


Effect = Commit | Dispatch | Fetch | Discarded


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """How a channel behaves. `sds` names it and this participant."""

    sds: SdsConfig
    segment_bytes: int = SEGMENT_BYTES
    """A multiple of 64, so that parity can be added."""
    parity_rate: float = 0.0
    """Of parity segments to data segments; 0: none."""
    limits: Limits = field(default_factory=Limits)
    outgoing_bytes: int = MAX_OUTGOING_BYTES

    def __post_init__(self) -> None:
        if not 64 <= self.segment_bytes <= MAX_SEGMENT_BYTES or self.segment_bytes % 64:
            raise ValueError("a segment has a multiple of 64 bytes, at most 140 KiB")
        if not 0 <= self.parity_rate <= 1:
            raise ValueError("a rate of parity is 0 to 1")


def channel_config(
    channel_id: str,
    sender_id: str,
    *,
    segment_bytes: int = SEGMENT_BYTES,
    parity_rate: float = 0.0,
    acknowledgement_timeout_ms: int = 5_000,
    max_retransmissions: int = 5,
    causal_history: int = 2,
    times: Times | None = None,
) -> ChannelConfig:
    """Returns the configuration of the LIP's settings, with its defaults."""
    patience = Patience(acknowledgement_timeout_ms, max_retransmissions)
    sds = SdsConfig(
        channel_id, sender_id, causal_history, patience=patience, times=times or Times()
    )
    return ChannelConfig(sds, segment_bytes, parity_rate)
