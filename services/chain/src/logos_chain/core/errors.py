"""What a caller of the module asks for that is not there, or makes no sense. Reasons are stable."""

from logos_base.errors import ErrorKind, LogosError


class IdInvalidError(LogosError):
    """An id, a hash or a key has not 32 bytes."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_ID"


class BlockMissingError(LogosError):
    """A request names no block."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "BLOCK_MISSING"


class BlockUnknownError(LogosError):
    """There is no such block here."""

    kind = ErrorKind.NOT_FOUND
    reason = "BLOCK_UNKNOWN"


class BlockBeforeCheckpointError(LogosError):
    """The chain of this node begins with a checkpoint, and the block lies before it (CKP-10)."""

    kind = ErrorKind.NOT_FOUND
    reason = "BLOCK_BEFORE_CHECKPOINT"


class CursorUnknownError(LogosError):
    """A place to go on from is no block of this node any more."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "CURSOR_UNKNOWN"


class TransactionUnknownError(LogosError):
    """This node knows no such transaction, or no longer."""

    kind = ErrorKind.NOT_FOUND
    reason = "TRANSACTION_UNKNOWN"


class NoteUnknownError(LogosError):
    """No note of this id is unspent at the tip."""

    kind = ErrorKind.NOT_FOUND
    reason = "NOTE_UNKNOWN"


class ChannelUnknownError(LogosError):
    """The channel does not exist at the tip."""

    kind = ErrorKind.NOT_FOUND
    reason = "CHANNEL_UNKNOWN"


class DeclarationUnknownError(LogosError):
    """There is no such declaration at the tip, or no longer."""

    kind = ErrorKind.NOT_FOUND
    reason = "DECLARATION_UNKNOWN"
