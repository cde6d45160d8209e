"""Errors of the services for zones; the reasons are stable API. Spec: docs/protocol/zone-sdk.md."""

from logos_base.errors import ErrorKind, LocalFaultError, LogosError


class RequestUnexpectedError(LogosError):
    """A request out of turn (ZON-21)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_REQUEST_UNEXPECTED"


class SignatureInvalidError(LogosError):
    """A signature is not that of the sequencer's key (ZON-21, ZON-23)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_SIGNATURE_INVALID"


class NotSignedError(LogosError):
    """The caller has not signed in time (ZON-21, ZON-23)."""

    kind = ErrorKind.DEADLINE_EXCEEDED
    reason = "ZONE_NOT_SIGNED"


class KeyInUseError(LogosError):
    """Another call has opened the sequencer (ZON-21)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ZONE_KEY_IN_USE"


class NumberGapError(LogosError):
    """A payload is not the next one (ZON-22)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ZONE_NUMBER_GAP"


class SequencersFullError(LocalFaultError):
    """More sequencers than a node serves or keeps (ZON-21, ZON-22)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "ZONE_SEQUENCERS_FULL"


class SequencerUnknownError(LogosError):
    """Nothing is kept of a sequencer (ZON-25)."""

    kind = ErrorKind.NOT_FOUND
    reason = "ZONE_SEQUENCER_UNKNOWN"


class ThresholdNotReachedError(LogosError):
    """Fewer keys of the channel have signed than it asks for (ZON-28)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ZONE_THRESHOLD_NOT_REACHED"


class TransactionUnexpectedError(LogosError):
    """Bytes that are no configuration or withdrawal of one channel (ZON-28)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_TRANSACTION_UNEXPECTED"


class DraftSubmittedError(LogosError):
    """A draft that was submitted and is not final cannot be abandoned (ZON-33)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ZONE_DRAFT_SUBMITTED"


class NoteForeignError(LogosError):
    """A note is not the channel's (ZON-30)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ZONE_NOTE_FOREIGN"


class NotesInsufficientError(LogosError):
    """The notes of a withdrawal are worth less than what it is to pay (ZON-30)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ZONE_NOTES_INSUFFICIENT"
