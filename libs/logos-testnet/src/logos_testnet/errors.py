"""Errors of a testnet before, during and after its start."""

from logos_base.errors import ConfigError, ErrorKind, LogosError


class TopologyError(ConfigError):
    """A topology file that is not valid: all problems at once, each with its line."""

    reason = "INVALID_TOPOLOGY"


class UnknownTestnetError(LogosError):
    """There is no testnet of that name."""

    kind = ErrorKind.NOT_FOUND
    reason = "TESTNET_UNKNOWN"


class AmbiguousTestnetError(LogosError):
    """There are several candidates, or two different testnets were named."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "TESTNET_AMBIGUOUS"


class UnreadableStateError(LogosError):
    """A file in a testnet's folder cannot be read. The text names it, and the way out."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "STATE_UNREADABLE"


class PortInUseError(LogosError):
    """A port of the testnet is in use."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "PORT_IN_USE"


class BusyError(LogosError):
    """Another command is starting or stopping the same testnet."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "TESTNET_BUSY"
    retry_after_ms = 1000


class OtherRuntimeError(LogosError):
    """The testnet already runs on the other runtime."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "OTHER_RUNTIME"


class SeedMismatchError(LogosError):
    """The testnet's identities were made with another seed, or with none."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "SEED_MISMATCH"


class NodeFailedError(LogosError):
    """A node did not become ready. Has the module and the cause."""

    kind = ErrorKind.UNAVAILABLE
    reason = "NODE_FAILED"

    def __init__(self, message: str, *, node: str, module: str) -> None:
        super().__init__(message)
        self.node = node
        self.module = module


class TokenRefusedError(LogosError):
    """A node refuses the token of its testnet's operator."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "TOKEN_REFUSED"


class GenesisError(LogosError):
    """A module's genesis job failed, or what it made is for other nodes. Nothing was started."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "GENESIS_FAILED"


class NotStoppedError(LogosError):
    """Something of the testnet still runs after the stop."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "NOT_STOPPED"


class UnknownStartError(LogosError):
    """LOGOS_START has an unknown value."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "START_UNKNOWN"


class AppFailedError(LogosError):
    """The app did not start. The text has the end of its log; the nodes keep running."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "APP_FAILED"


class EngineError(LogosError):
    """The container engine is missing, or a command failed."""

    kind = ErrorKind.UNAVAILABLE
    reason = "ENGINE_FAILED"


class NetworkOutdatedError(LogosError):
    """A network of a testnet of containers is other than its topology demands."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "NETWORK_OUTDATED"


class UnknownNodeError(LogosError):
    """The testnet has no node or module of that name."""

    kind = ErrorKind.NOT_FOUND
    reason = "NODE_UNKNOWN"
