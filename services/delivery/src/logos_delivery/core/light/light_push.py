"""Light push: a client hands a message to a node that relays it.

Spec: docs/protocol/delivery-light.md, DLC-16 to DLC-18. Source: 19/WAKU2-LIGHTPUSH, version 3.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from logos_crypto.protobuf import Fields, bytes_field, number_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core import message
from logos_delivery.core.errors import ContentTopicInvalidError, DeliveryMessageMalformedError
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.message import Message
from logos_delivery.core.topics import pubsub_topic_of

PROTOCOL: Final = "/vac/waku/lightpush/3.0.0"
UNKNOWN_REQUEST: Final = "N/A"
"""The id in a response to a request that was not read."""
DECODE_FAILURE: Final = "decode_rpc_failure"
DIAL_FAILURE: Final = "dial_failure"

_REQUEST_ID: Final = 1
_PUBSUB_TOPIC: Final = 20
_MESSAGE: Final = 21
_STATUS: Final = 10
_DESCRIPTION: Final = 11
_PEERS: Final = 12
_U32: Final = 0xFFFF_FFFF


class LightPushStatus(IntEnum):
    """Of a response."""

    OK = 200
    BAD_REQUEST = 400
    PAYLOAD_TOO_LARGE = 413
    INVALID_MESSAGE = 420
    UNSUPPORTED_PUBSUB_TOPIC = 421
    TOO_MANY_REQUESTS = 429
    INTERNAL_ERROR = 500
    SERVICE_UNAVAILABLE = 503
    NO_RLN_PROOF = 504
    NO_PEERS = 505


@dataclass(frozen=True, slots=True)
class LightPushRequest:
    """From a client."""

    request_id: str
    message: Message
    pubsub_topic: str | None = None
    """None: the shard of its content topic."""


@dataclass(frozen=True, slots=True)
class LightPushResponse:
    """From a service node."""

    request_id: str
    status: int
    description: str | None = None
    relay_peers: int | None = None
    """How many neighbours the message was sent to."""


def encode_request(request: LightPushRequest) -> bytes:
    """Encodes a request."""
    out = bytes_field(_REQUEST_ID, request.request_id.encode())
    if request.pubsub_topic is not None:
        out += bytes_field(_PUBSUB_TOPIC, request.pubsub_topic.encode())
    return out + bytes_field(_MESSAGE, message.encode(request.message))


def decode_request(raw: bytes) -> LightPushRequest:
    """Reads a request; raises `LightMessageMalformedError`."""
    try:
        fields = Fields(raw)
        for number, name in ((_REQUEST_ID, "request_id"), (_MESSAGE, "message")):
            if not fields.has(number):
                raise LightMessageMalformedError(f"MissingRequiredField {name}")
        return LightPushRequest(
            request_id=fields.text(_REQUEST_ID),
            message=message.decode(fields.raw(_MESSAGE)),
            pubsub_topic=fields.text(_PUBSUB_TOPIC) if fields.has(_PUBSUB_TOPIC) else None,
        )
    except (ProtobufError, DeliveryMessageMalformedError) as error:
        raise LightMessageMalformedError(str(error)) from error


def encode_response(response: LightPushResponse) -> bytes:
    """Encodes a response."""
    out = bytes_field(_REQUEST_ID, response.request_id.encode())
    out += number_field(_STATUS, response.status)
    if response.description is not None:
        out += bytes_field(_DESCRIPTION, response.description.encode())
    if response.relay_peers is not None:
        out += number_field(_PEERS, response.relay_peers)
    return out


def decode_response(raw: bytes) -> LightPushResponse:
    """Reads a response; raises `LightMessageMalformedError`."""
    try:
        fields = Fields(raw)
        for number, name in ((_REQUEST_ID, "request_id"), (_STATUS, "status_code")):
            if not fields.has(number):
                raise LightMessageMalformedError(f"MissingRequiredField {name}")
        return LightPushResponse(
            request_id=fields.text(_REQUEST_ID),
            status=fields.number(_STATUS) & _U32,
            description=fields.text(_DESCRIPTION) if fields.has(_DESCRIPTION) else None,
            relay_peers=fields.number(_PEERS) & _U32 if fields.has(_PEERS) else None,
        )
    except ProtobufError as error:
        raise LightMessageMalformedError(str(error)) from error


def too_many_requests() -> LightPushResponse:
    """Returns the response to a request over the rate limit; the request is not read."""
    description = "Request rejected due to too many requests"
    return LightPushResponse(UNKNOWN_REQUEST, LightPushStatus.TOO_MANY_REQUESTS, description)


def malformed(error: LightMessageMalformedError) -> LightPushResponse:
    """Returns the response to bytes that are no request."""
    description = f"{DECODE_FAILURE}: {error}"
    return LightPushResponse(UNKNOWN_REQUEST, LightPushStatus.BAD_REQUEST, description)


def relayed(request: LightPushRequest, peers: int) -> LightPushResponse:
    """Returns the response after a message was published to that many neighbours (DLC-17)."""
    if peers:
        return LightPushResponse(request.request_id, LightPushStatus.OK, relay_peers=peers)
    description = "No peers for topic, skipping publish"
    return LightPushResponse(request.request_id, LightPushStatus.NO_PEERS, description)


def topic_of(
    request: LightPushRequest, *, cluster: int, shards: int | None
) -> str | LightPushResponse:
    """Returns the topic to publish a message at, or the response that refuses it (DLC-17).

    Args:
        request: Of a client.
        cluster: Of this node.
        shards: Of the cluster if content topics decide among them; None if clients do.
    """
    topic = request.pubsub_topic
    if topic is not None:
        if topic.strip():
            return topic
        description = "topic must not be empty"
        return LightPushResponse(request.request_id, LightPushStatus.BAD_REQUEST, description)
    if shards is None:
        description = "Pubsub topic must be specified when static sharding is enabled"
        return LightPushResponse(request.request_id, LightPushStatus.INVALID_MESSAGE, description)
    try:
        return pubsub_topic_of(request.message.content_topic, cluster=cluster, shards=shards)
    except ContentTopicInvalidError as error:
        description = f"Invalid content-topic:{error}"
        return LightPushResponse(request.request_id, LightPushStatus.INVALID_MESSAGE, description)


def checked_response(response: LightPushResponse, request_id: str) -> LightPushResponse:
    """Returns what a client makes of a response (DLC-18).

    Success with no neighbour is none, and a response must answer its own request; one over the
    rate limit has no id.
    """
    is_limit = response.status == LightPushStatus.TOO_MANY_REQUESTS
    if response.request_id != request_id and not is_limit:
        description = "response failure, requestId mismatch"
        return LightPushResponse(request_id, LightPushStatus.INTERNAL_ERROR, description)
    if response.status == LightPushStatus.OK and not response.relay_peers:
        return LightPushResponse(request_id, LightPushStatus.NO_PEERS, response.description)
    return response
