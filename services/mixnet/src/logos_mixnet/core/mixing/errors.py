"""Why a mix silently drops a valid packet, or cannot send."""

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


class FrameLengthError(RemoteFaultError):
    """A stream carries something else than packets of this network (MIX-23)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MIX_FRAME_LENGTH"


class LinkDownError(LocalFaultError):
    """A mix cannot be reached, or takes packets too slowly (MIX-23)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "MIX_LINK_DOWN"


class InvalidCodecError(LogosError):
    """A codec is empty, too long, or one of the mix's own (MIX-26)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_CODEC"
    field = "codec"


class CodecTakenError(LogosError):
    """Another call listens for a codec (MIX-26)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "CODEC_TAKEN"


class NobodyListensError(RemoteFaultError):
    """A message came for a codec without a listener (MIX-26)."""

    kind = ErrorKind.NOT_FOUND
    reason = "MIX_NOBODY_LISTENS"


class ListenerFullError(LocalFaultError):
    """Too much waits for a listener (MIX-26)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "MIX_LISTENER_FULL"


class CopyError(RemoteFaultError):
    """A message that was sent over several paths is here already (MIX-25)."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "MIX_COPY"


class ReplyTokenUnknownError(LogosError):
    """Reply blocks were used, or are too old (MIX-27)."""

    kind = ErrorKind.NOT_FOUND
    reason = "REPLY_TOKEN_UNKNOWN"
    field = "reply_token"


class NoAnswerError(LogosError):
    """No answer came in time. The request may have arrived (MIX-27)."""

    kind = ErrorKind.DEADLINE_EXCEEDED
    reason = "MIX_NO_ANSWER"


class ExitRefusedError(LocalFaultError):
    """This node hands nothing over to nodes that are no mixes (MIX-28)."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "MIX_EXIT_REFUSED"


class TooManyTracesError(LocalFaultError):
    """Too many calls watch packets (MIX-24)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_TRACES"


class InvalidTagError(LogosError):
    """Not 1 to 16 tags of 16 bytes (MIX-24)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_TAG"
    field = "tags"


class InvalidDelayError(LogosError):
    """A delay is not 1 ms to 65,535 ms, or a wait over 10 s (MIX-22)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_DELAY"


class InvalidRedundancyError(LogosError):
    """A message is not sent once to five times (MIX-22)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_REDUNDANCY"
    field = "route.redundancy"


class InvalidReplyBlocksError(LogosError):
    """A request brings 1 to 255 reply blocks (MIX-27)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_REPLY_BLOCKS"
    field = "reply_blocks"


class InvalidProfileError(LogosError):
    """There is no profile of that name (MIX-21)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_PROFILE"
    field = "name"


class AnonymityTooLowError(LogosError):
    """The mix hides less now than a call asks for (docs/anonymity.md)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ANONYMITY_TOO_LOW"


class MixOffError(LogosError):
    """This node does not mix: its settings say so, or its address fits no packet (MIX-9)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "MIX_OFF"
