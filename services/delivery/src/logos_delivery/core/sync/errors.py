"""What can go wrong between store nodes, one class per rule. The reasons are stable API."""

from logos_base.errors import ErrorKind, LocalFaultError, LogosError, RemoteFaultError


class SyncPayloadMalformedError(RemoteFaultError):
    """Bytes that are no ranges (DST-31)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "SYNC_PAYLOAD_MALFORMED"


class SyncPayloadTooLargeError(RemoteFaultError):
    """More bytes, topics, ranges or messages than a payload may have (DST-35)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "SYNC_PAYLOAD_TOO_LARGE"


class SyncEndlessError(RemoteFaultError):
    """A reconciliation that does not come to its end (DST-35)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "SYNC_ENDLESS"


class SyncStalledError(LogosError):
    """The other node has not answered in time; it may only be slow (DST-36)."""

    kind = ErrorKind.DEADLINE_EXCEEDED
    reason = "SYNC_STALLED"


class SyncLostError(LogosError):
    """The stream to the other node could not be opened, or has broken (DST-36)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "SYNC_LOST"
    retry_after_ms = 5000


class SyncBusyError(LocalFaultError):
    """A reconciliation that this node has begun is under way (DST-39)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "SYNC_BUSY"
    retry_after_ms = 5000


class TransferMalformedError(RemoteFaultError):
    """Bytes that are no transferred message (DST-37)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "TRANSFER_MALFORMED"


class TransferUnwantedError(RemoteFaultError):
    """A message of a node with which nothing is reconciled, or outside of that (DST-38)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "TRANSFER_UNWANTED"


class TransferTooMuchError(RemoteFaultError):
    """More messages or bytes than one reconciliation may bring (DST-38)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TRANSFER_TOO_MUCH"
