"""What the native side refuses, as the house's errors: one class per rule.

`ValueError` is a base of each, so callers that only know bad input from good
need not know the rules.
"""

from types import TracebackType
from typing import ClassVar, Final

from logos_base.errors import ErrorKind, LogosError
from logos_native import ZkError


class RefusedError(LogosError, ValueError):
    """A value, a leaf, an index or a snapshot was refused; nothing was changed."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CRYPTO_REFUSED"


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


_CLASSES: Final = {
    each.reason: each
    for parent in (RefusedError, SnapshotError)
    for each in parent.__subclasses__()
}


class _Refusals:
    """Turns `ZkError` into the class of its reason. Holds no state: one serves all."""

    # An index below zero or above 64 bits does not reach the native side.
    _beyond: ClassVar = IndexOutOfRangeError

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, ZkError):
            raise _CLASSES.get(error.reason, RefusedError)(str(error)) from None
        if isinstance(error, OverflowError):
            raise self._beyond("the number is negative or too large") from None


refusals: Final = _Refusals()
