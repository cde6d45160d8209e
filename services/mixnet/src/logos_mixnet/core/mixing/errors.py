"""Why a relay drops what breaks no rule of a packet. Nobody is told: the reasons are counted."""

from logos_base.errors import ErrorKind, LocalFaultError, RemoteFaultError


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
