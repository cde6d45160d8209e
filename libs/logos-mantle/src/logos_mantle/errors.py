"""What can be wrong with encodings and amounts: one class per rule. The reasons are stable API.

Whatever a decoder refuses is its sender's fault (`MalformedError`); a value of this node's own that
has no encoding is this node's (`ValueUnencodableError`).
"""

from logos_base.errors import ErrorKind, LocalFaultError, RemoteFaultError


class ValueUnencodableError(LocalFaultError):
    """A value does not fit the encoding of its place (MAN-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MANTLE_VALUE_UNENCODABLE"


class MalformedError(RemoteFaultError):
    """Bytes that are no canonical encoding. Base of all that decoders raise (MAN-2)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MANTLE_MALFORMED"


class TruncatedError(MalformedError):
    """The bytes end before the value does (MAN-2)."""

    reason = "MANTLE_TRUNCATED"


class TrailingBytesError(MalformedError):
    """Bytes follow the value (MAN-2)."""

    reason = "MANTLE_TRAILING_BYTES"


class InputTooLongError(MalformedError):
    """More bytes than any value of this kind has (MAN-2)."""

    reason = "MANTLE_INPUT_TOO_LONG"


class FieldNotCanonicalError(MalformedError):
    """A field value at or above the modulus (MAN-3)."""

    reason = "MANTLE_FIELD_NOT_CANONICAL"


class OpcodeUnknownError(MalformedError):
    """No operation has this code (MAN-5)."""

    reason = "MANTLE_OPCODE_UNKNOWN"


class InscriptionTooLongError(MalformedError):
    """An inscription above its limit (MAN-7)."""

    reason = "MANTLE_INSCRIPTION_TOO_LONG"


class MetadataTooLongError(MalformedError):
    """The metadata of a deposit above their limit (MAN-7)."""

    reason = "MANTLE_METADATA_TOO_LONG"


class ServiceUnknownError(MalformedError):
    """No service has this number (MAN-9)."""

    reason = "MANTLE_SERVICE_UNKNOWN"


class LocatorCountError(MalformedError):
    """A declaration with more locators than are allowed (MAN-9)."""

    reason = "MANTLE_LOCATOR_COUNT"


class LocatorTooLongError(MalformedError):
    """A locator above its limit (MAN-9)."""

    reason = "MANTLE_LOCATOR_TOO_LONG"


class LocatorMalformedError(MalformedError):
    """A locator that is no multiaddress of a place (MAN-10)."""

    reason = "MANTLE_LOCATOR_MALFORMED"


class ActivityUnknownError(MalformedError):
    """The metadata of an active message of another type or version (MAN-11)."""

    reason = "MANTLE_ACTIVITY_UNKNOWN"


class SignatureOrderError(MalformedError):
    """Indexes of a threshold's signatures that do not increase (MAN-14)."""

    reason = "MANTLE_SIGNATURE_ORDER"


class VersionUnknownError(MalformedError):
    """A header of another version (MAN-22)."""

    reason = "MANTLE_VERSION_UNKNOWN"


class UncleCountError(MalformedError):
    """More uncles than a block may have (MAN-25)."""

    reason = "MANTLE_UNCLE_COUNT"


class ReferenceGapError(MalformedError):
    """A reference to a transaction after the padding has begun (MAN-28)."""

    reason = "MANTLE_REFERENCE_GAP"


class TransactionCountError(MalformedError):
    """More transactions than a block may have (MAN-29)."""

    reason = "MANTLE_TRANSACTION_COUNT"


class BodyTooLargeError(MalformedError):
    """Transactions of a block that are too large together (MAN-29)."""

    reason = "MANTLE_BODY_TOO_LARGE"


class BodyRootError(MalformedError):
    """A body that is not the one its header commits to (MAN-26)."""

    reason = "MANTLE_BODY_ROOT"


class GenesisFormError(MalformedError):
    """A block that has not the form of a genesis block (MAN-31)."""

    reason = "MANTLE_GENESIS_FORM"


class GenesisParametersError(MalformedError):
    """The inscription of a genesis block is no parameters (MAN-32)."""

    reason = "MANTLE_GENESIS_PARAMETERS"


class AmountOverflowError(RemoteFaultError):
    """A sum or a product that its integer type cannot hold: the transaction is invalid (MAN-17)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MANTLE_AMOUNT_OVERFLOW"


class FeeTooLowError(RemoteFaultError):
    """A transaction that does not leave its mandatory fee (MAN-20)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "MANTLE_FEE_TOO_LOW"
