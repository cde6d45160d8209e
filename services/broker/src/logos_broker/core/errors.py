"""What the broker refuses, one class per rule."""

from logos_base.errors import ErrorKind, LocalFaultError, LogosError


class ContainerMissingError(LogosError):
    """The caller's node has no such module, or its container was not created."""

    kind = ErrorKind.NOT_FOUND
    reason = "CONTAINER_NOT_FOUND"


class NotAsDescribedError(LogosError):
    """The container differs from the description, and is left alone (KER-24)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "CONTAINER_NOT_AS_DESCRIBED"


class NotStartedError(LogosError):
    """The engine refuses to start the container."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "CONTAINER_NOT_STARTED"


class RestartedError(LogosError):
    """The start that the caller means has ended."""

    kind = ErrorKind.ABORTED
    reason = "CONTAINER_RESTARTED"


class InvalidSignalError(LogosError):
    """The signal is none of those that the broker sends."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_SIGNAL"


class TailTooLongError(LogosError):
    """More lines of a log are asked for than the broker reads at once."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "TAIL_TOO_LONG"


class TooManyStreamsError(LogosError):
    """The node has as many streams open as it may."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_STREAMS"


class EngineUnavailableError(LocalFaultError):
    """The container engine does not answer, or not as expected."""

    kind = ErrorKind.UNAVAILABLE
    reason = "ENGINE_UNAVAILABLE"
