"""What can go wrong, one class per rule. The reasons are stable API."""

from logos_base.errors import ErrorKind, LogosError, RemoteFaultError


class ContentTopicInvalidError(LogosError):
    """Not `/application/version/name/encoding`, or of a generation other than 0 (DEL-5)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CONTENT_TOPIC_INVALID"
    field = "content_topic"


class PubsubTopicInvalidError(LogosError):
    """Not `/waku/2/rs/CLUSTER/SHARD` with two numbers of 16 bits (DEL-7)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "PUBSUB_TOPIC_INVALID"
    field = "pubsub_topic"


class PayloadEmptyError(LogosError):
    """A message without content (DEL-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "PAYLOAD_EMPTY"
    field = "payload"


class MetaTooLongError(LogosError):
    """Metadata of over 64 bytes (DEL-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "META_TOO_LONG"
    field = "meta"


class DeliveryMessageTooLargeError(LogosError):
    """Over the size that the network passes on (DEL-2)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "DELIVERY_MESSAGE_TOO_LARGE"
    field = "payload"


class DeliveryMessageMalformedError(RemoteFaultError):
    """Bytes of another node that are no message (DEL-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "DELIVERY_MESSAGE_MALFORMED"


class BudgetSpentError(LogosError):
    """No message id is left in this epoch."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "RLN_BUDGET_SPENT"


class PeerFailedError(LogosError):
    """Another node does not answer; it is not known whose fault it is."""

    kind = ErrorKind.UNAVAILABLE
    reason = "LIGHT_PEER_FAILED"
    retry_after_ms = 1_000


class NotFollowedError(LogosError):
    """A program that polls publishes at a pubsub topic that this node does not follow (DHT-9)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "PUBSUB_TOPIC_NOT_FOLLOWED"


class ConnectFailedError(LogosError):
    """A node cannot be reached at an address that an operator names (DHT-18)."""

    kind = ErrorKind.UNAVAILABLE
    reason = "DELIVERY_CONNECT_FAILED"
    retry_after_ms = 1_000


class RelayOffError(LogosError):
    """This node does not relay: it has the clients alone."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RELAY_OFF"


class StoreNodeMissingError(LogosError):
    """This node keeps no messages, and knows of no node that does."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "STORE_NODE_MISSING"


class RequestUnknownError(LogosError):
    """There is no such request, or it ended over an hour ago (DEL-22)."""

    kind = ErrorKind.NOT_FOUND
    reason = "REQUEST_UNKNOWN"


class KeyReusedError(LogosError):
    """An idempotency key that was given to another message (DEL-22)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "KEY_REUSED"


class KeyTooLongError(LogosError):
    """An idempotency key of over 64 bytes (DEL-22)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "KEY_TOO_LONG"
    field = "idempotency_key"


class TopicsMissingError(LogosError):
    """No content topic is given, or over 100."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "TOPICS_MISSING"


class TooManyTopicsError(LogosError):
    """A node subscribes to 1,000 content topics at most (DEL-21)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_TOPICS"


class PositionUnknownError(LogosError):
    """The node's events have not come to a position: its state was replaced (DEL-20)."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "POSITION_UNKNOWN"


class TooManyWatchesError(LogosError):
    """A node serves 256 streams of events."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_SUBSCRIPTIONS"


class StoreOffError(LogosError):
    """This node keeps no messages."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "STORE_OFF"


class SyncOffError(LogosError):
    """This node does not reconcile its archive with others (DST-39)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "SYNC_OFF"


class LightPeerMissingError(LogosError):
    """No node is known that serves a protocol of light clients."""

    kind = ErrorKind.UNAVAILABLE
    reason = "LIGHT_PEER_MISSING"
    retry_after_ms = 5_000


class LightPeerBusyError(LogosError):
    """A service node was asked more often than it answers."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "LIGHT_PEER_BUSY"
    retry_after_ms = 10_000


class LightPushRefusedError(LogosError):
    """A service node refuses to publish a message."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "LIGHT_PUSH_REFUSED"


class MixOffError(LogosError):
    """This node sends nothing through the mix-net."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "MIX_OFF"


class ReportRefusedError(LogosError):
    """The registry of members takes no report of this member, or none of this node (DSN-25)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "REPORT_REFUSED"
