"""What can go wrong with channels, one class per rule. The reasons are stable API."""

from logos_base.errors import ErrorKind, LogosError, RemoteFaultError, StateError


class ChannelExistsError(LogosError):
    """A channel of this id is open (CHN-1)."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "CHANNEL_EXISTS"
    field = "channel_id"

    def __init__(self, channel_id: str) -> None:
        super().__init__(f"channel already exists: {channel_id}")


class ChannelUnknownError(LogosError):
    """No channel of this id is open (CHN-1)."""

    kind = ErrorKind.NOT_FOUND
    reason = "CHANNEL_UNKNOWN"
    field = "channel_id"

    def __init__(self, channel_id: str) -> None:
        super().__init__(f"unknown channel: {channel_id}")


class ChannelIdInvalidError(LogosError):
    """An id of a channel or a participant that is empty or too long (CHN-9)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CHANNEL_ID_INVALID"


class ChannelKeyInvalidError(LogosError):
    """A key that has not 32 bytes (CHN-29)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CHANNEL_KEY_INVALID"
    field = "key"


class TooManyChannelsError(LogosError):
    """A node has 256 channels at most (CHN-1)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_CHANNELS"


class ChannelPayloadTooLargeError(LogosError):
    """More segments than a payload may have (CHN-4), or bytes than an event (CHN-30)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CHANNEL_PAYLOAD_TOO_LARGE"
    field = "payload"


class ChannelFullError(LogosError):
    """Too much waits for its acknowledgement (CHN-25)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "CHANNEL_FULL"


class ChannelStateError(StateError):
    """A record of a channel that this version cannot read (CHN-27)."""

    reason = "CHANNEL_STATE_UNUSABLE"


class ChannelSealError(RemoteFaultError):
    """Bytes that were not encrypted with the key of a channel (CHN-29)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CHANNEL_SEAL_BROKEN"


class SegmentMalformedError(RemoteFaultError):
    """Bytes of another participant that are no segment (CHN-3)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "SEGMENT_MALFORMED"


class SdsMessageMalformedError(RemoteFaultError):
    """Bytes of another participant that are no message of SDS (CHN-9)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "SDS_MESSAGE_MALFORMED"


class BloomFilterMalformedError(RemoteFaultError):
    """Bytes of another participant that are no filter (CHN-14)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "BLOOM_FILTER_MALFORMED"
