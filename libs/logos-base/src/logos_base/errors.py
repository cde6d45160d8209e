"""Errors with a kind and a stable reason; one class per rule.

`logos_module.errors` turns them into gRPC statuses and back. Clients and tests
rely on `reason`, never on the text.
"""

from enum import StrEnum
from typing import ClassVar


class ErrorKind(StrEnum):
    """The kind of failure. One gRPC status code each, of the same name."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    DATA_LOSS = "DATA_LOSS"
    INTERNAL = "INTERNAL"


class LogosError(Exception):
    """A failure that a caller can act on.

    Subclass it once per rule and set `kind` and `reason`. The text is lower
    case, without a full stop, and tells the user what to do next unless it is obvious.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL
    reason: ClassVar[str] = "INTERNAL"
    """UPPER_SNAKE, at most 63 characters. Stable API."""

    retry_after_ms: int | None = None
    """Delay before a retry makes sense; sent as RetryInfo."""

    field: str | None = None
    """The request field at fault; sent as BadRequest."""

    def __init__(
        self, message: str, *, field: str | None = None, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(message)
        if field is not None:
            self.field = field
        if retry_after_ms is not None:
            self.retry_after_ms = retry_after_ms


class LocalFaultError(LogosError):
    """This node is at fault: its disk, its state, its limits, its own use of a library.

    No peer is to blame. A base class, like `RemoteFaultError`: errors derived from neither
    leave open whose fault it is.
    """


class RemoteFaultError(LogosError):
    """A peer is at fault: it sent data that breaks a rule. It may be refused or banned for it."""


class ConfigError(LogosError):
    """A configuration that cannot be used. Holds all of its problems at once."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_CONFIG"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class StateError(LocalFaultError):
    """Durable state that cannot be used. A restart does not help.

    Nothing was deleted or changed; the text names the files, the problem, and what an
    operator can do.
    """

    kind = ErrorKind.DATA_LOSS
    reason = "STATE_UNUSABLE"


class StreamLostError(LogosError):
    """A stream to a peer cannot be opened, or has broken; it is not known whose fault it is."""

    kind = ErrorKind.UNAVAILABLE
    reason = "STREAM_LOST"


class NetworkDeniedError(LogosError):
    """The rules of this node do not let a module call the network module."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "NETWORK_DENIED"


class NetworkUnavailableError(LogosError):
    """The network module did not take a call."""

    kind = ErrorKind.UNAVAILABLE
    reason = "NETWORK_UNAVAILABLE"
    retry_after_ms = 1_000


class NoNeighboursError(LogosError):
    """No neighbour follows a topic, or none has room for a message."""

    kind = ErrorKind.UNAVAILABLE
    reason = "NO_PEERS"
    retry_after_ms = 1_000


class MessageKnownError(LogosError):
    """The same bytes were published within the last two minutes."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "DUPLICATE_MESSAGE"


class MessageOversizeError(LogosError):
    """A message is larger than the network module passes on in one piece (NET-7)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "MESSAGE_SIZE"


class StoreFailedError(LocalFaultError):
    """Durable state could not be read or written now.

    The operation was not done, or its outcome is unknown.
    """

    kind = ErrorKind.UNAVAILABLE
    reason = "STORE_FAILED"


class DiskFullError(StoreFailedError):
    """The disk is full."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "DISK_FULL"
