"""What can go wrong when an application sends. The reasons are stable API."""

from logos_base.errors import ErrorKind, LocalFaultError


class SendsFullError(LocalFaultError):
    """As many requests, or bytes of them, have not ended as may (DSN-1)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "SENDS_FULL"
