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
