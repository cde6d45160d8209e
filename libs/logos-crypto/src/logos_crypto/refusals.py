"""What is refused, as the house's errors: one class per rule.

Each error that leaves this package is of a rule's class and says whose fault it is: values
that this node made up are its own (`LocalFaultError`), bytes that are decoded or verified
are their sender's (`RemoteFaultError`). `ValueError` is a base of each, so callers that
only know bad input from good need not know the rules.
"""

from typing import Any, ClassVar

from logos_base.errors import ErrorKind, LocalFaultError, LogosError, RemoteFaultError


class RefusedError(LogosError, ValueError):
    """A value, a leaf, an index or some bytes were refused; nothing was changed."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CRYPTO_REFUSED"

    relation: str | None = None
    """Of a witness: which relation of its circuit the values do not keep."""

    of_reason: ClassVar[dict[str, type["RefusedError"]]] = {}
    """Every class, by its reason."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        RefusedError.of_reason.setdefault(cls.reason, cls)


class OwnRefusedError(RefusedError, LocalFaultError):
    """A rule that only this node's own use of the library can break."""


class PeerRefusedError(RefusedError, RemoteFaultError):
    """A rule that only what came from elsewhere can break."""


class Base58Error(RefusedError):
    """A character is not of the alphabet."""

    reason = "BASE58_MALFORMED"


class VarintError(RefusedError):
    """A variable-length integer is cut off, too long or too large."""

    reason = "VARINT_MALFORMED"


class FieldLengthError(RefusedError):
    reason = "FIELD_LENGTH"


class FieldValueError(RefusedError):
    """The bytes stand for the field's modulus or more."""

    reason = "FIELD_NOT_CANONICAL"


class HashInputsError(RefusedError):
    reason = "POSEIDON_INPUTS"


class LeafEmptyError(RefusedError):
    """Zero stands for an empty leaf."""

    reason = "LEAF_EMPTY"


class LeafDuplicateError(RefusedError):
    kind = ErrorKind.ALREADY_EXISTS
    reason = "LEAF_DUPLICATE"


class LeafUnknownError(RefusedError):
    kind = ErrorKind.NOT_FOUND
    reason = "LEAF_UNKNOWN"


class TreeFullError(RefusedError):
    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TREE_FULL"


class IndexOutOfRangeError(RefusedError):
    kind = ErrorKind.OUT_OF_RANGE
    reason = "INDEX_OUT_OF_RANGE"


class IndexRepeatedError(RefusedError):
    reason = "INDEX_REPEATED"


class SlotEmptyError(RefusedError):
    kind = ErrorKind.NOT_FOUND
    reason = "SLOT_EMPTY"


class PathLengthError(RefusedError):
    reason = "PATH_LENGTH"


class HistorySizeError(RefusedError):
    reason = "HISTORY_SIZE"


class SnapshotError(RefusedError):
    """A snapshot cannot be used: what wrote it, or what kept it, is at fault."""

    kind = ErrorKind.DATA_LOSS
    reason = "SNAPSHOT"


class SnapshotVersionError(SnapshotError):
    reason = "SNAPSHOT_VERSION"


class SnapshotKindError(SnapshotError):
    reason = "SNAPSHOT_KIND"


class SnapshotTruncatedError(SnapshotError):
    reason = "SNAPSHOT_TRUNCATED"


class SnapshotTrailingError(SnapshotError):
    reason = "SNAPSHOT_TRAILING"


class SnapshotOrderError(SnapshotError):
    reason = "SNAPSHOT_ORDER"


class SnapshotRootError(SnapshotError):
    reason = "SNAPSHOT_ROOT"


class TreeBrokenError(RefusedError):
    """A change of the tree broke off. Restore it."""

    kind = ErrorKind.INTERNAL
    reason = "TREE_BROKEN"
