"""Errors of zones; the reasons are stable API. Spec: docs/protocol/zone-sdk.md."""

from logos_base.errors import ErrorKind, LocalFaultError, LogosError, RemoteFaultError


class ChainBrokenError(RemoteFaultError):
    """What a node tells of its chain does not follow from what it has told before (ZON-2)."""

    kind = ErrorKind.DATA_LOSS
    reason = "ZONE_CHAIN_BROKEN"


class ChannelBrokenError(RemoteFaultError):
    """A message does not follow the one before it: blocks of the node are missing (ZON-15)."""

    kind = ErrorKind.DATA_LOSS
    reason = "ZONE_CHANNEL_BROKEN"


class ChainUnfinalError(LogosError):
    """More blocks are not final than a lineage holds (ZON-2)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "ZONE_CHAIN_UNFINAL"


class CheckpointMalformedError(LogosError):
    """Bytes that are no checkpoint (ZON-12)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_CHECKPOINT_MALFORMED"


class CheckpointForeignError(LogosError):
    """A checkpoint of another channel or of another key (ZON-12)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_CHECKPOINT_FOREIGN"


class CursorMalformedError(LogosError):
    """Bytes that are no cursor (ZON-14)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_CURSOR_MALFORMED"


class CursorLostError(LogosError):
    """The block of a cursor has left the chain: go on from an older cursor (ZON-16)."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "ZONE_CURSOR_LOST"


class ChannelReservedError(LogosError):
    """Channel zero is the genesis' (LED-12)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_CHANNEL_RESERVED"


class PayloadTooLongError(LogosError):
    """A payload is longer than an inscription may be (MAN-7)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_PAYLOAD_TOO_LONG"


class QueueFullError(LocalFaultError):
    """Too many payloads are not final yet (ZON-5)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "ZONE_QUEUE_FULL"
    retry_after_ms = 5_000


class NotAccreditedError(LogosError):
    """The key is not among those that may write to the channel (LED-15)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ZONE_KEY_NOT_ACCREDITED"


class RangeInvalidError(LogosError):
    """A range of heights that ends before it begins (ZON-17)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_RANGE_INVALID"


class PaymentForeignError(RemoteFaultError):
    """A node's wallet wants another transaction signed than the one it was asked for (ZON-13)."""

    kind = ErrorKind.INTERNAL
    reason = "ZONE_PAYMENT_FOREIGN"


class DraftForeignError(RemoteFaultError):
    """A draft is of another change than the one that was asked for, or agreed to (ZON-31)."""

    kind = ErrorKind.INTERNAL
    reason = "ZONE_DRAFT_FOREIGN"


class DraftMalformedError(LogosError):
    """Bytes that are no draft of a channel's change (ZON-32)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_DRAFT_MALFORMED"


class NodeBehindError(LogosError):
    """The node still downloads the chain (ZON-18)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "ZONE_NODE_BEHIND"
    retry_after_ms = 5_000


class ZoneStoppedError(LogosError):
    """The sequencer has stopped; what was published is in its checkpoint."""

    kind = ErrorKind.UNAVAILABLE
    reason = "ZONE_STOPPED"
