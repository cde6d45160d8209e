"""Errors of the network services, one class per rule. Reasons are those of the contracts."""

from logos_base.errors import ErrorKind, LogosError, StateError


class InvalidPeerIdError(LogosError):
    """A text is not a peer id (NET-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_PEER_ID"
    field = "peer_id"


class InvalidAddressError(LogosError):
    """A text is not a multiaddress that a node can be reached at (NET-3)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_ADDRESS"
    field = "address"


class InvalidBanError(LogosError):
    """A ban that ends before it begins, or with too long a reason."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_BAN"


class NodeIsolatedError(LogosError):
    """This node was cut off from all others (NET-16)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "NODE_ISOLATED"


class PeerBannedError(LogosError):
    """The peer is banned on this node."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "PEER_BANNED"


class DialFailedError(LogosError):
    """No node answers at an address, or another one than was asked for."""

    kind = ErrorKind.UNAVAILABLE
    reason = "DIAL_FAILED"


class PeerNotConnectedError(LogosError):
    """The peer is not connected, or does not answer."""

    kind = ErrorKind.UNAVAILABLE
    reason = "PEER_NOT_CONNECTED"


class ReaderTooSlowError(LogosError):
    """A reader does not keep up: too much waits for it."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "READER_TOO_SLOW"


class InvalidTopicError(LogosError):
    """A topic is not 1 to 256 bytes of UTF-8 (NET-7)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_TOPIC"
    field = "topic"


class BatchSizeError(LogosError):
    """A request publishes more than 1000 messages or 4 MiB."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "BATCH_SIZE"
    field = "messages"


class MessageSizeError(LogosError):
    """A message is empty, or larger than this node takes (NET-7)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MESSAGE_SIZE"
    field = "data"


class DuplicateMessageError(LogosError):
    """The same bytes were seen within the last two minutes (NET-6)."""

    kind = ErrorKind.ALREADY_EXISTS
    reason = "DUPLICATE_MESSAGE"


class NoPeersError(LogosError):
    """No connected peer follows the topic."""

    kind = ErrorKind.UNAVAILABLE
    reason = "NO_PEERS"
    retry_after_ms = 500


class QueueFullError(LogosError):
    """Every peer is slower than this sender."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "QUEUE_FULL"
    retry_after_ms = 200


class InvalidVerdictError(LogosError):
    """A judgement without a verdict."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_VERDICT"
    field = "judgements"


class ValidatorExistsError(LogosError):
    """Another call already validates the topic (NET-8)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "VALIDATOR_EXISTS"


class StartExpectedError(LogosError):
    """The first request of a call does not say what the call is about."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "START_EXPECTED"


class UnexpectedRequestError(LogosError):
    """A later request says what only the first may say, or nothing."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "UNEXPECTED_REQUEST"


class InvalidProtocolError(LogosError):
    """A protocol id is not `/` and 1 to 139 more bytes (NET-10)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_PROTOCOL"
    field = "protocol"


class ProtocolTakenError(LogosError):
    """Another call already listens for the protocol."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "PROTOCOL_TAKEN"


class FrameSizeError(LogosError):
    """A request carries more than 1 MiB of a stream."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "FRAME_SIZE"
    field = "data"


class StreamUnknownError(LogosError):
    """No stream of that name waits to be accepted."""

    kind = ErrorKind.NOT_FOUND
    reason = "STREAM_UNKNOWN"


class PeerUnreachableError(LogosError):
    """The peer cannot be dialled."""

    kind = ErrorKind.UNAVAILABLE
    reason = "PEER_UNREACHABLE"


class ProtocolNotSupportedError(LogosError):
    """The peer does not speak the protocol now."""

    kind = ErrorKind.UNIMPLEMENTED
    reason = "PROTOCOL_NOT_SUPPORTED"


class TooManyStreamsError(LogosError):
    """The host has as many streams as it may."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_STREAMS"
    retry_after_ms = 500


class StreamResetError(LogosError):
    """The peer, or the connection to it, went away."""

    kind = ErrorKind.ABORTED
    reason = "STREAM_RESET"


class InvalidKeyError(LogosError):
    """A key is not 1 to 128 bytes, or there are too many in one call (NET-11)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_KEY"
    field = "keys"


class InvalidTtlError(LogosError):
    """An advertisement is to last for no time, or for over 24 hours (NET-12)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_TTL"
    field = "ttl"


class TooManyKeysError(LogosError):
    """The node advertises as many keys as it may (NET-12)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_KEYS"


class TooManyLookUpsError(LogosError):
    """As many look-ups run as may at a time (DIS-17)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_LOOK_UPS"
    retry_after_ms = 1000


class TooManyWatchesError(LogosError):
    """As many services are watched as may be at a time (DIS-26)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_WATCHES"


class InvalidServiceError(LogosError):
    """The id of a service is not `/` and 1 to 139 more bytes (DIS-23)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_SERVICE"
    field = "service"


class ServiceTakenError(LogosError):
    """The network module itself offers the service (DIS-23)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "SERVICE_TAKEN"
    field = "service"


class TooManyServicesError(LogosError):
    """The node offers as many services as it may (DIS-23)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_SERVICES"


class TooManyTagsError(LogosError):
    """A peer has as many tags or protections as it may (NET-17)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_TAGS"


class InvalidTagError(LogosError):
    """A tag or a reason of protection has no valid name, value or duration (NET-18)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_TAG"


class PeerExchangeFailedError(LogosError):
    """A peer that was asked for others does not answer, or not as it must (NET-19)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "PEER_EXCHANGE_FAILED"


class ExchangeRefusedError(LogosError):
    """A peer asks for others more often than it may (NET-21). It learns nothing of it."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "PEER_EXCHANGE_REFUSED"


class TooManyPeersError(LogosError):
    """A call names over 64 peers (NET-26)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "TOO_MANY_PEERS"
    field = "peers"


class NodeRecordMalformedError(LogosError):
    """Not the content of a node record in its one encoding (NET-25)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "NODE_RECORD_MALFORMED"
    field = "content"


class NodeRecordTooLargeError(LogosError):
    """A record has at most 300 bytes with its signature (NET-25)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "NODE_RECORD_TOO_LARGE"
    field = "content"


class NodeRecordSchemeError(LogosError):
    """A record of another identity scheme than "v4" (NET-25)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "NODE_RECORD_SCHEME"
    field = "content"


class NodeRecordKeyError(LogosError):
    """A record that names another key than this node's (NET-25)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "NODE_RECORD_KEY"
    field = "content"


class NodeKeyTypeError(LogosError):
    """This node's key is of a type that signs no node records (NET-25)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "NODE_KEY_TYPE"


class StoreError(LogosError):
    """The module's database cannot be written or read now, e.g. because the disk is full."""

    kind = ErrorKind.UNAVAILABLE
    reason = "STORE_UNAVAILABLE"
    retry_after_ms = 1000


class IdentityLostError(StateError):
    """The key of a node that has run before is missing (NET-2)."""

    reason = "IDENTITY_LOST"


class ListenError(LogosError):
    """The host cannot listen at the addresses that the profile names."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ADDRESS_IN_USE"
