"""What can be wrong with a node record. The reasons are stable API."""

from logos_base.errors import ErrorKind, LogosError, RemoteFaultError


class EnrMalformedError(RemoteFaultError):
    """Not a record in its one encoding, or over 300 bytes (DLC-31, DLC-32)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ENR_MALFORMED"


class EnrSignatureError(RemoteFaultError):
    """Of an unknown identity scheme, or not signed by the key in it (DLC-33)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ENR_SIGNATURE_INVALID"


class EnrTooLargeError(LogosError):
    """What this node would say about itself does not fit 300 bytes (DLC-32)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ENR_TOO_LARGE"


class MultiaddressMalformedError(LogosError):
    """Not a multiaddress, or of a protocol that is not known here (DLC-36)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MULTIADDRESS_MALFORMED"


class ShardsInvalidError(LogosError):
    """No shards, one of 1,024 or above, or of several clusters (DLC-35)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "SHARDS_INVALID"
