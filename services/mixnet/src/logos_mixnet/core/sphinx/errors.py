"""Errors of the mix's packets, one class per rule.

Whatever a peer sends is refused with a `MixRefusedError`; relays drop it without an answer and
count its `reason` (MIX-7). The others are faults of the caller.
"""

from logos_base.errors import ErrorKind, LocalFaultError, LogosError, RemoteFaultError


class MixRefusedError(RemoteFaultError):
    """A packet, or what it carried, breaks a rule. The base of all that unwrapping raises."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MIX_REFUSED"


class PacketSizeError(MixRefusedError):
    """A packet has not exactly 4,608 bytes (MIX-1)."""

    reason = "MIX_PACKET_SIZE"


class PacketPointError(MixRefusedError):
    """A packet's public value is not canonical, or of low order (MIX-3)."""

    reason = "MIX_PACKET_POINT"


class HeaderForgedError(MixRefusedError):
    """A header's MAC does not match: damaged, forged, or for another key (MIX-7)."""

    reason = "MIX_HEADER_FORGED"


class RoutingBlockError(MixRefusedError):
    """Delay and padding disagree on whether this is the last hop (MIX-8)."""

    reason = "MIX_ROUTING_BLOCK"


class PayloadDamagedError(MixRefusedError):
    """A payload was changed on its way, or is not for these keys (MIX-6)."""

    reason = "MIX_PAYLOAD_DAMAGED"


class AddressBlockError(MixRefusedError):
    """94 bytes are not an address block (MIX-9)."""

    reason = "MIX_ADDRESS_BLOCK"


class MixMessageError(MixRefusedError):
    """A payload that arrived whole holds no message (MIX-10)."""

    reason = "MIX_MESSAGE"


class FragmentError(MixRefusedError):
    """A fragment is malformed, or contradicts those before it (MIX-12)."""

    reason = "MIX_FRAGMENT"


class ReplyUnknownError(MixRefusedError):
    """An answer to no block of this node, to a used one, or too late (MIX-14)."""

    kind = ErrorKind.NOT_FOUND
    reason = "MIX_REPLY_UNKNOWN"


class PathError(LogosError):
    """A path has not 3 to 5 distinct hops with usable keys, or lacks a delay (MIX-4)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MIX_PATH"


class AddressUnsuitableError(LogosError):
    """An address fits no address block: not IPv4, or not a secp256k1 peer id (MIX-9)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MIX_ADDRESS_UNSUITABLE"
    field = "address"


class CodecError(LogosError):
    """A codec has more than 127 bytes (MIX-10)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MIX_CODEC"
    field = "codec"


class MessageTooLargeError(LogosError):
    """A message is larger than a packet, or than all of its fragments may be (MIX-10, MIX-12)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MIX_MESSAGE_TOO_LARGE"


class RepliesFullError(LocalFaultError):
    """This node waits for too many answers (MIX-14)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "MIX_REPLIES_FULL"
