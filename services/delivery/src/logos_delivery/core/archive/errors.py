"""What can go wrong with the archive, one class per rule. The reasons are stable API."""

from logos_base.errors import ErrorKind, LocalFaultError, LogosError, RemoteFaultError


class StoreQueryInvalidError(LogosError):
    """A query that breaks a rule of DST-4."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "STORE_QUERY_INVALID"


class StoreCursorUnknownError(LogosError):
    """The message that a cursor names is not kept, or no longer (DST-7)."""

    kind = ErrorKind.NOT_FOUND
    reason = "STORE_CURSOR_UNKNOWN"
    field = "pagination_cursor"


class StoreParametersInvalidError(LogosError):
    """A parameter of HTTP that cannot be read (DST-11)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "STORE_PARAMETERS_INVALID"


class StoreRequestMalformedError(RemoteFaultError):
    """Bytes of another node that are no query (DST-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "STORE_REQUEST_MALFORMED"


class StorePeerFailedError(RemoteFaultError):
    """A store node's answer is none, is false, or says that it failed (DST-9, DST-10)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "STORE_PEER_FAILED"
    retry_after_ms = 5000


class StorePeerBusyError(LogosError):
    """A store node refuses at present (DST-9)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "STORE_PEER_BUSY"
    retry_after_ms = 5000


class ArchiveBusyError(LocalFaultError):
    """More messages wait to be written than are held in memory (DST-15)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "ARCHIVE_BUSY"
    retry_after_ms = 1000
