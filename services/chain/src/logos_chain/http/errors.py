"""What a request over HTTP is refused with beside what operations refuse. Reasons are stable."""

from logos_base.errors import ErrorKind, LogosError


class RequestInvalidError(LogosError):
    """A path, a parameter or a body is not what it must be (HTP-5)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "REQUEST_INVALID"


class NotServedError(LogosError):
    """The reference serves this, and this node does not (HTP-21)."""

    kind = ErrorKind.UNIMPLEMENTED
    reason = "NOT_SERVED"


class LedgerNotKeptError(LogosError):
    """The ledger of another block than the tip is asked for (HTP-13)."""

    kind = ErrorKind.NOT_FOUND
    reason = "LEDGER_NOT_KEPT"
