"""What a kernel refuses, one class per rule."""

from logos_base.errors import ErrorKind, LogosError


class UnknownModuleError(LogosError):
    """The profile has no such module."""

    kind = ErrorKind.NOT_FOUND
    reason = "MODULE_NOT_FOUND"


class InvalidRegistrationError(LogosError):
    """A field of a registration or heartbeat is missing or malformed."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_REGISTRATION"


class StaleEpochError(LogosError):
    """A newer instance of the module was started (KER-7)."""

    kind = ErrorKind.ABORTED
    reason = "STALE_EPOCH"


class ModuleUnreachableError(LogosError):
    """Nothing answers at the endpoint, or another process does."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "MODULE_UNREACHABLE"


class UnknownLeaseError(LogosError):
    """The lease was lost; register again (KER-3)."""

    kind = ErrorKind.NOT_FOUND
    reason = "LEASE_UNKNOWN"


class NotReadyError(LogosError):
    """The module is known, but not READY now."""

    kind = ErrorKind.UNAVAILABLE
    reason = "MODULE_NOT_READY"
    retry_after_ms = 500


class UnknownServiceError(LogosError):
    """No module of this node serves it."""

    kind = ErrorKind.UNIMPLEMENTED
    reason = "SERVICE_UNKNOWN"


class MalformedMetadataError(LogosError):
    """The metadata of a call cannot be passed on (KER-9)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MALFORMED_METADATA"


class HasDependentsError(LogosError):
    """Running modules require it."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "HAS_DEPENDENTS"


class ExternalRuntimeError(LogosError):
    """The kernel only observes this module."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RUNTIME_EXTERNAL"


class StateLockedError(LogosError):
    """Another kernel runs on this state (KER-8)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "STATE_LOCKED"
