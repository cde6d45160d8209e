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


class DependencyCycleError(LogosError):
    """Modules require one another, so that none can be the first."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "DEPENDENCY_CYCLE"


class UnknownOperationError(LogosError):
    """An operator cannot ask for that."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "UNKNOWN_OPERATION"


class ExternalRuntimeError(LogosError):
    """The kernel only observes this module."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RUNTIME_EXTERNAL"


class NoProcessError(LogosError):
    """The module has no process now (KER-45)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "NO_PROCESS"


class UnknownVersionError(LogosError):
    """That version of the module is not installed (KER-49)."""

    kind = ErrorKind.NOT_FOUND
    reason = "VERSION_NOT_FOUND"


class TooManyVersionsError(LogosError):
    """No more can be installed (KER-49)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_VERSIONS"


class InvalidInstallError(LogosError):
    """A directory is none that a module can be installed from (KER-49)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_INSTALL"


class UpgradeUnderWayError(LogosError):
    """Another upgrade of the module has not ended, or its old process has not (KER-48)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "UPGRADE_UNDER_WAY"


class UpgradeRefusedError(LogosError):
    """The module cannot run that version here (KER-48)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "UPGRADE_REFUSED"


class OfProfileError(LogosError):
    """The profile has the module, so that it can be stopped and not unloaded (KER-50)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "MODULE_OF_PROFILE"


class OperationNotFoundError(LogosError):
    """No upgrade has that name, or a later one of its module has (KER-48)."""

    kind = ErrorKind.NOT_FOUND
    reason = "OPERATION_NOT_FOUND"


class InvalidRequestIdError(LogosError):
    """A request id is too long, or was used for another request (KER-51)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_REQUEST_ID"


class HistoryCompactedError(LogosError):
    """Transitions from that revision on are no longer all kept (KER-19)."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "HISTORY_COMPACTED"


class UnknownRevisionError(LogosError):
    """The node has not come to that revision (KER-19)."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "REVISION_UNKNOWN"


class StateLockedError(LogosError):
    """Another kernel runs on this state (KER-8)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "STATE_LOCKED"


class PolicyDeniedError(LogosError):
    """The rules of this node do not allow it (KER-17)."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "POLICY_DENIED"


class RoleDeniedError(LogosError):
    """The operator's role does not allow it (KER-17)."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "ROLE_DENIED"


class OperatorTokenMissingError(LogosError):
    """The call bears no token of an operator."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "TOKEN_MISSING"


class OperatorTokenInvalidError(LogosError):
    """This node has given no such token, or has revoked it."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "TOKEN_INVALID"


class OperatorTokenExpiredError(LogosError):
    """The operator's token has expired."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "TOKEN_EXPIRED"


class InvalidAccessError(LogosError):
    """A field of a request about access is missing or malformed."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_ACCESS"


class UnknownGrantError(LogosError):
    """There is no such grant."""

    kind = ErrorKind.NOT_FOUND
    reason = "GRANT_NOT_FOUND"


class OperatorExistsError(LogosError):
    """A token of that name holds."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "OPERATOR_EXISTS"


class UnknownOperatorError(LogosError):
    """No operator has that name."""

    kind = ErrorKind.NOT_FOUND
    reason = "OPERATOR_NOT_FOUND"


class TooManyDecisionsError(LogosError):
    """A node keeps so many grants, or operators."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_DECISIONS"


class RevisionConflictError(LogosError):
    """What the caller started from was changed meanwhile (KER-40)."""

    kind = ErrorKind.ABORTED
    reason = "REVISION_CONFLICT"


class InvalidSettingsError(LogosError):
    """Settings are malformed, or the module's schema does not allow them (KER-40)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_SETTINGS"


class InvalidIntervalError(LogosError):
    """Figures are not given so often, or so seldom (KER-43)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_INTERVAL"


class MethodNotFoundError(LogosError):
    """The module has no such method (KER-28)."""

    kind = ErrorKind.UNIMPLEMENTED
    reason = "METHOD_NOT_FOUND"


class InvalidArgsError(LogosError):
    """The arguments of a call do not fit its method (KER-28)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_ARGS"


class MalformedResponseError(LogosError):
    """A module answers with what is no message of its method's type."""

    kind = ErrorKind.DATA_LOSS
    reason = "MALFORMED_RESPONSE"


class QueueFullError(LogosError):
    """Too many calls wait for a module (KER-30)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "QUEUE_FULL"
    retry_after_ms = 1000


class CircuitOpenError(LogosError):
    """An instance has not answered for some time (KER-32)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "CIRCUIT_OPEN"


class TooManyCallsError(LogosError):
    """A kernel runs so many started calls (KER-29)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_CALLS"
    retry_after_ms = 1000


class UnknownCallError(LogosError):
    """There is no such started call, or it is another's (KER-29)."""

    kind = ErrorKind.NOT_FOUND
    reason = "CALL_NOT_FOUND"


class ClusterError(LogosError):
    """The API of Kubernetes does not answer, or refuses (KER-27)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "CLUSTER_FAILED"

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """Its HTTP status; 0 if it has not said any."""


class BrokerError(LogosError):
    """The broker of the containers does not answer, or refuses (KER-24)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "BROKER_FAILED"

    def __init__(self, message: str, *, of_broker: str = "") -> None:
        super().__init__(message)
        self.of_broker = of_broker
        """The broker's own reason; empty if it has not said any."""
