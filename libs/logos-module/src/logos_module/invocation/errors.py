"""How calls by name fail (KER-28)."""

from logos_base.errors import ErrorKind, LogosError


class InvalidArgsError(LogosError):
    """Too few or too many arguments, or one of another type."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_ARGS"


class MethodNotFoundError(LogosError):
    """No method has this name."""

    kind = ErrorKind.UNIMPLEMENTED
    reason = "METHOD_NOT_FOUND"


class MethodFailedError(LogosError):
    """The method cannot do it. For authors: its text reaches the caller."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "METHOD_FAILED"
