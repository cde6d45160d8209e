"""Why a checkpoint is not taken or not made. The reasons are stable API (CKP-5)."""

from logos_base.errors import ErrorKind, LogosError, StateError


class CheckpointRefusedError(StateError):
    """A file that a node cannot begin with. A base class; nothing was changed."""


class CheckpointUnreadableError(CheckpointRefusedError):
    """The file is not there, or cannot be read."""

    reason = "CHECKPOINT_UNREADABLE"


class CheckpointMalformedError(CheckpointRefusedError):
    """The file is no checkpoint: it begins otherwise."""

    reason = "CHECKPOINT_MALFORMED"


class CheckpointVersionUnknownError(CheckpointRefusedError):
    """A checkpoint of a version that this release does not know."""

    reason = "CHECKPOINT_VERSION_UNKNOWN"


class CheckpointTruncatedError(CheckpointRefusedError):
    """The file ends before the checkpoint does."""

    reason = "CHECKPOINT_TRUNCATED"


class CheckpointAlteredError(CheckpointRefusedError):
    """The bytes are not those that a node has written."""

    reason = "CHECKPOINT_ALTERED"


class CheckpointOtherChainError(CheckpointRefusedError):
    """A checkpoint of a chain with another genesis or another specification."""

    reason = "CHECKPOINT_OTHER_CHAIN"


class CheckpointOtherHashError(CheckpointRefusedError):
    """A whole checkpoint, but not the one whose hash the operator has set."""

    reason = "CHECKPOINT_OTHER_HASH"


class CheckpointBusyError(LogosError):
    """Another checkpoint is being exported."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "CHECKPOINT_BUSY"
