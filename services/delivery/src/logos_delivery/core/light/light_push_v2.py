"""Light push in its older form, which says no more than whether a message was relayed.

Spec: docs/protocol/delivery-light.md, DLC-19. Source: 19/WAKU2-LIGHTPUSH, version 2.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto.protobuf import Fields, bytes_field, number_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core import message
from logos_delivery.core.errors import DeliveryMessageMalformedError
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.light.light_push import DECODE_FAILURE, UNKNOWN_REQUEST
from logos_delivery.core.message import Message

PROTOCOL: Final = "/vac/waku/lightpush/2.0.0-beta1"
NOT_PUBLISHED: Final = "not_published_to_any_peer"
"""Whatever went wrong with publishing."""
EMPTY_REQUEST: Final = "empty_request_body_failure"
EMPTY_RESPONSE: Final = "empty_response_body_failure"
NO_RELAY: Final = "no waku relay found"

_REQUEST_ID: Final = 1
_REQUEST: Final = 2
_RESPONSE: Final = 3
_PUBSUB_TOPIC: Final = 1
_MESSAGE: Final = 2
_IS_SUCCESS: Final = 1
_INFO: Final = 2


@dataclass(frozen=True, slots=True)
class PushRequest:
    """From a client."""

    request_id: str
    pubsub_topic: str
    message: Message


@dataclass(frozen=True, slots=True)
class PushResponse:
    """From a service node."""

    request_id: str
    is_success: bool
    info: str | None = None
    """`OK`, or what went wrong."""


def encode_request(request: PushRequest) -> bytes:
    """Encodes a request."""
    body = bytes_field(_PUBSUB_TOPIC, request.pubsub_topic.encode())
    body += bytes_field(_MESSAGE, message.encode(request.message))
    return bytes_field(_REQUEST_ID, request.request_id.encode()) + bytes_field(_REQUEST, body)


def decode_request(raw: bytes) -> PushRequest:
    """Reads a request; raises `LightMessageMalformedError`, whose text a response may hold."""
    try:
        fields = _outer(raw)
        if not fields.has(_REQUEST):
            raise LightMessageMalformedError(EMPTY_REQUEST)
        body = Fields(fields.raw(_REQUEST))
        for number, name in ((_PUBSUB_TOPIC, "pubsub_topic"), (_MESSAGE, "message")):
            if not body.has(number):
                raise LightMessageMalformedError(f"{DECODE_FAILURE}: MissingRequiredField {name}")
        return PushRequest(
            request_id=fields.text(_REQUEST_ID),
            pubsub_topic=body.text(_PUBSUB_TOPIC),
            message=message.decode(body.raw(_MESSAGE)),
        )
    except (ProtobufError, DeliveryMessageMalformedError) as error:
        raise LightMessageMalformedError(f"{DECODE_FAILURE}: {error}") from error


def encode_response(response: PushResponse) -> bytes:
    """Encodes a response."""
    body = number_field(_IS_SUCCESS, int(response.is_success))
    if response.info is not None:
        body += bytes_field(_INFO, response.info.encode())
    return bytes_field(_REQUEST_ID, response.request_id.encode()) + bytes_field(_RESPONSE, body)


def decode_response(raw: bytes) -> PushResponse:
    """Reads a response; raises `LightMessageMalformedError`."""
    try:
        fields = _outer(raw)
        if not fields.has(_RESPONSE):
            raise LightMessageMalformedError(EMPTY_RESPONSE)
        body = Fields(fields.raw(_RESPONSE))
        if not body.has(_IS_SUCCESS):
            raise LightMessageMalformedError(f"{DECODE_FAILURE}: MissingRequiredField is_success")
        return PushResponse(
            request_id=fields.text(_REQUEST_ID),
            is_success=bool(body.number(_IS_SUCCESS)),
            info=body.text(_INFO) if body.has(_INFO) else None,
        )
    except ProtobufError as error:
        raise LightMessageMalformedError(f"{DECODE_FAILURE}: {error}") from error


def too_many_requests() -> PushResponse:
    """Returns the response to a request over the rate limit; the request is not read."""
    return PushResponse(UNKNOWN_REQUEST, is_success=False, info="TOO_MANY_REQUESTS")


def malformed(error: LightMessageMalformedError) -> PushResponse:
    """Returns the response to bytes that are no request: without an id."""
    return PushResponse("", is_success=False, info=str(error))


def relayed(request: PushRequest, *, is_published: bool) -> PushResponse:
    """Returns the response after a message was published, or was not."""
    info = "OK" if is_published else NOT_PUBLISHED
    return PushResponse(request.request_id, is_success=is_published, info=info)


def _outer(raw: bytes) -> Fields:
    fields = Fields(raw)
    if not fields.has(_REQUEST_ID):
        raise LightMessageMalformedError(f"{DECODE_FAILURE}: MissingRequiredField request_id")
    return fields
