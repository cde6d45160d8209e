"""Errors of this package: one class per rule.

Each error has the class of its rule and of whose fault it is: values of this node's own are its
fault (`LocalFaultError`), bytes that are decoded or verified are their sender's
(`RemoteFaultError`). `ValueError` is a base of each, for callers that need no more.
"""

from typing import Any, ClassVar

from logos_base.errors import ErrorKind, LocalFaultError, LogosError, RemoteFaultError


class RefusedError(LogosError, ValueError):
    """A value, a leaf, an index or some bytes were refused; nothing was changed."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CRYPTO_REFUSED"

    relation: str | None = None
    """The relation of the circuit that a witness breaks, if it does."""

    of_reason: ClassVar[dict[str, type["RefusedError"]]] = {}
    """Every class, by its reason."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        RefusedError.of_reason.setdefault(cls.reason, cls)


class OwnRefusedError(RefusedError, LocalFaultError):
    """A rule that only this node's own use of the library can break."""


class PeerRefusedError(RefusedError, RemoteFaultError):
    """A rule that only received data can break."""


class Base58Error(RefusedError):
    """A character is not of the alphabet."""

    reason = "BASE58_MALFORMED"


class VarintError(RefusedError):
    """A variable-length integer is cut off, too long or too large."""

    reason = "VARINT_MALFORMED"


class ProtobufError(PeerRefusedError):
    """A message is cut off, has a field of another type, or too many of them."""

    reason = "PROTOBUF_MALFORMED"


class RlpError(PeerRefusedError):
    """An item is cut off, not in its one encoding, too deep, or followed by more."""

    reason = "RLP_MALFORMED"


class NodeRecordError(PeerRefusedError):
    """The number or the keys of a node record are not as EIP-778 has them."""

    reason = "NODE_RECORD_FORM"


class FieldLengthError(RefusedError):
    reason = "FIELD_LENGTH"


class FieldValueError(RefusedError):
    """The value is not below the field's modulus."""

    reason = "FIELD_NOT_CANONICAL"


class HashInputsError(RefusedError):
    reason = "POSEIDON_INPUTS"


class LeafEmptyError(RefusedError):
    """The leaf is zero, which marks an empty slot."""

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
    """A snapshot is not valid."""

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
    """A change of the tree was interrupted: restore it from a snapshot."""

    kind = ErrorKind.INTERNAL
    reason = "TREE_BROKEN"
