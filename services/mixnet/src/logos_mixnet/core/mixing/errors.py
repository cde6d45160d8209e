"""Why a mix drops what breaks no rule of a packet, of which nobody is told, or cannot send."""

from logos_base.errors import ErrorKind, LocalFaultError, LogosError, RemoteFaultError


class PacketRepeatedError(RemoteFaultError):
    """A packet was here before (MIX-7)."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "MIX_PACKET_REPEATED"


class RelayBusyError(LocalFaultError):
    """More packets are held, or verified, than a relay has room for (MIX-17)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "MIX_RELAY_BUSY"


class RelayStoppedError(LocalFaultError):
    """Tags cannot be stored, or there is no key: nothing is relayed (MIX-16)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "MIX_RELAY_STOPPED"


class TagsFullError(LocalFaultError):
    """As many packets came for a key as tags are kept (MIX-16)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "MIX_TAGS_FULL"


class PoolTooSmallError(LogosError):
    """Fewer mixes are known than a path has hops (MIX-19)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "MIX_POOL_TOO_SMALL"


class DestinationUnknownError(LogosError):
    """No mix of that peer id is known, or it is this node (MIX-22)."""

    kind = ErrorKind.NOT_FOUND
    reason = "MIX_DESTINATION_UNKNOWN"


class QueueFullError(LocalFaultError):
    """Too many bytes of own messages wait to leave (MIX-22)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "MIX_QUEUE_FULL"
