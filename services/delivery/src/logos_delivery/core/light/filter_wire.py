"""Requests, responses and pushes of filter, as bytes.

Spec: docs/protocol/delivery-light.md, DLC-2 to DLC-4. Source: 12/WAKU2-FILTER.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from logos_crypto.protobuf import Fields, bytes_field, bytes_fields, number_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core import message
from logos_delivery.core.errors import DeliveryMessageMalformedError
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.message import Message

SUBSCRIBE_PROTOCOL: Final = "/vac/waku/filter-subscribe/2.0.0-beta1"
PUSH_PROTOCOL: Final = "/vac/waku/filter-push/2.0.0-beta1"
MAX_TOPICS: Final = 100
"""Content topics of one request."""
MAX_FIELDS: Final = 1_024
"""A request with too many topics can still be answered if it has no more fields than this."""
UNKNOWN_REQUEST: Final = "N/A"
"""The id in a response to a request that was not read."""

_REQUEST_ID: Final = 1
_KIND: Final = 2
_PUBSUB_TOPIC: Final = 10
_CONTENT_TOPICS: Final = 11
_STATUS: Final = 10
_DESCRIPTION: Final = 11
_MESSAGE: Final = 1
_PUSH_PUBSUB_TOPIC: Final = 2
_U32: Final = 0xFFFF_FFFF


class FilterKind(IntEnum):
    """What a client asks for."""

    PING = 0
    SUBSCRIBE = 1
    UNSUBSCRIBE = 2
    UNSUBSCRIBE_ALL = 3


class FilterStatus(IntEnum):
    """Of a response; the last is the client's own."""

    OK = 200
    BAD_RESPONSE = 300
    BAD_REQUEST = 400
    NOT_FOUND = 404
    TOO_MANY_REQUESTS = 429
    SERVICE_UNAVAILABLE = 503
    PEER_DIAL_FAILURE = 504


@dataclass(frozen=True, slots=True)
class FilterRequest:
    """From a client; topics matter to SUBSCRIBE and UNSUBSCRIBE only."""

    request_id: str
    kind: FilterKind
    pubsub_topic: str | None = None
    content_topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilterResponse:
    """From a service node."""

    request_id: str
    status: int
    description: str | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the request was done."""
        return self.status == FilterStatus.OK


@dataclass(frozen=True, slots=True)
class FilterPush:
    """A message for a client that subscribed to its topics."""

    pubsub_topic: str
    message: Message


def too_many_requests() -> FilterResponse:
    """Returns the response to a request over the rate limit; the request is not read."""
    description = "filter request rejected due rate limit exceeded"
    return FilterResponse(UNKNOWN_REQUEST, FilterStatus.TOO_MANY_REQUESTS, description)


def encode_request(request: FilterRequest) -> bytes:
    """Encodes a request."""
    out = bytes_field(_REQUEST_ID, request.request_id.encode()) + number_field(_KIND, request.kind)
    if request.pubsub_topic is not None:
        out += bytes_field(_PUBSUB_TOPIC, request.pubsub_topic.encode())
    return out + bytes_fields(_CONTENT_TOPICS, map(str.encode, request.content_topics))


def decode_request(raw: bytes) -> FilterRequest:
    """Reads a request; raises `LightMessageMalformedError`. Without a kind it is a ping."""
    try:
        fields = Fields(raw, max_fields=MAX_FIELDS)
        return FilterRequest(
            request_id=_required_text(fields, _REQUEST_ID, "request_id"),
            kind=FilterKind(fields.number(_KIND)),
            pubsub_topic=fields.text(_PUBSUB_TOPIC) if fields.has(_PUBSUB_TOPIC) else None,
            content_topics=tuple(fields.texts(_CONTENT_TOPICS)),
        )
    except (ProtobufError, ValueError) as error:
        raise LightMessageMalformedError(str(error)) from error


def encode_response(response: FilterResponse) -> bytes:
    """Encodes a response."""
    out = bytes_field(_REQUEST_ID, response.request_id.encode())
    out += number_field(_STATUS, response.status)
    if response.description is not None:
        out += bytes_field(_DESCRIPTION, response.description.encode())
    return out


def decode_response(raw: bytes) -> FilterResponse:
    """Reads a response; raises `LightMessageMalformedError`."""
    try:
        fields = Fields(raw)
        request_id = _required_text(fields, _REQUEST_ID, "request_id")
        if not fields.has(_STATUS):
            raise LightMessageMalformedError("MissingRequiredField status_code")
        description = fields.text(_DESCRIPTION) if fields.has(_DESCRIPTION) else None
        return FilterResponse(request_id, fields.number(_STATUS) & _U32, description)
    except ProtobufError as error:
        raise LightMessageMalformedError(str(error)) from error


def encode_push(pubsub_topic: str, encoded_message: bytes) -> bytes:
    """Encodes a push of a message that is encoded already."""
    topic = bytes_field(_PUSH_PUBSUB_TOPIC, pubsub_topic.encode())
    return bytes_field(_MESSAGE, encoded_message) + topic


def decode_push(raw: bytes) -> FilterPush:
    """Reads a push; raises `LightMessageMalformedError`."""
    try:
        fields = Fields(raw)
        if not fields.has(_MESSAGE):
            raise LightMessageMalformedError("MissingRequiredField message")
        pubsub_topic = _required_text(fields, _PUSH_PUBSUB_TOPIC, "pubsub_topic")
        return FilterPush(pubsub_topic, message.decode(fields.raw(_MESSAGE)))
    except (ProtobufError, DeliveryMessageMalformedError) as error:
        raise LightMessageMalformedError(str(error)) from error


def checked_response(response: FilterResponse, request_id: str) -> FilterResponse:
    """Returns a response, or the client's own if it answers another request (DLC-3).

    One over the rate limit has no id.
    """
    is_limit = response.status == FilterStatus.TOO_MANY_REQUESTS
    if response.request_id == request_id or is_limit:
        return response
    return FilterResponse(request_id, FilterStatus.BAD_RESPONSE, "request_id_mismatch")


def _required_text(fields: Fields, number: int, name: str) -> str:
    if not fields.has(number):
        raise LightMessageMalformedError(f"MissingRequiredField {name}")
    return fields.text(number)
