"""Why blocks and messages are refused. The reasons are stable API."""

from enum import StrEnum

from logos_base.errors import ErrorKind, RemoteFaultError


class RejectReason(StrEnum):
    """Why a block was not taken, in the order in which it is looked at (CON-30)."""

    ALREADY_KNOWN = "ALREADY_KNOWN"
    MALFORMED_HEADER = "MALFORMED_HEADER"
    WRONG_VERSION = "WRONG_VERSION"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    TOO_MANY_TRANSACTIONS = "TOO_MANY_TRANSACTIONS"
    WRONG_BODY_ROOT = "WRONG_BODY_ROOT"
    FUTURE_SLOT = "FUTURE_SLOT"
    BELOW_LIB = "BELOW_LIB"
    PARENT_UNKNOWN = "PARENT_UNKNOWN"
    SLOT_NOT_AFTER_PARENT = "SLOT_NOT_AFTER_PARENT"
    TOO_MANY_UNCLES = "TOO_MANY_UNCLES"
    INVALID_UNCLE = "INVALID_UNCLE"
    BUSY = "BUSY"
    INVALID_PROOF = "INVALID_PROOF"
    INVALID_SIGNATURE = "INVALID_SIGNATURE"
    INVALID_UNCLE_PROOF = "INVALID_UNCLE_PROOF"
    INVALID_BODY = "INVALID_BODY"
    NOT_STORED = "NOT_STORED"
    """The block is valid, but this node's disk did not take it."""

    @property
    def is_fault(self) -> bool:
        """Whether the sender is at fault: an honest node never relays such a block."""
        return self not in _INNOCENT


_INNOCENT = frozenset(
    {
        RejectReason.ALREADY_KNOWN,
        RejectReason.FUTURE_SLOT,
        RejectReason.BELOW_LIB,
        RejectReason.PARENT_UNKNOWN,
        RejectReason.BUSY,
        RejectReason.NOT_STORED,
    }
)


class SyncMalformedError(RemoteFaultError):
    """Bytes that are no message of the synchronisation (CON-41)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "SYNC_MALFORMED"


class SyncTooLargeError(RemoteFaultError):
    """A message of the synchronisation that is over its bound (CON-41)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "SYNC_TOO_LARGE"
