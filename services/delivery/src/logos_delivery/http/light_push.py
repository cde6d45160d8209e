"""`/lightpush/v1/message` and `/lightpush/v3/message` (DHT-12)."""

from http import HTTPStatus
from typing import Any, Final, NamedTuple

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_delivery.core.light.light_push import LightPushStatus
from logos_delivery.core.light.light_push_v2 import NOT_PUBLISHED
from logos_delivery.http.answers import Refused, as_json, done
from logos_delivery.http.messages import Written
from logos_delivery.http.reading import UnreadableError, fields, read, text
from logos_delivery.operations.light_pushing import NO_PEER, LightPushing

V1: Final = "/lightpush/v1/message"
V3: Final = "/lightpush/v3/message"
_STATUSES: Final = frozenset(int(status) for status in HTTPStatus)


class _Wanted(NamedTuple):
    pubsub_topic: str | None
    message: Written


class LightPushRoutes:
    """Publishing by light push."""

    def __init__(self, pushing: LightPushing) -> None:
        self._pushing = pushing

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        router.add_api_route(V1, self.push_v1, methods=["POST"])
        router.add_api_route(V3, self.push_v3, methods=["POST"])

    async def push_v1(self, request: Request) -> Response:
        """Publishes; tells success, or a reason in plain text."""
        wanted = await read(request, _wanted)
        message = wanted.message.message("Invalid message: ")
        response = await self._pushing.push(wanted.pubsub_topic, message)
        if response.status == LightPushStatus.OK:
            return done()
        if response.status == LightPushStatus.TOO_MANY_REQUESTS:
            raise Refused("Request rate limmit reached", 429)
        if response.description == NO_PEER:
            raise Refused(NO_PEER, 503)
        is_alone = response.status == LightPushStatus.NO_PEERS
        reason = NOT_PUBLISHED if is_alone else response.description or str(response.status)
        raise Refused(f"Failed to request a message push: {reason}", 503)

    async def push_v3(self, request: Request) -> Response:
        """Publishes; tells the neighbours that have the message, or a reason."""
        try:
            wanted = await read(request, _wanted)
            message = wanted.message.message("Invalid message! ")
        except Refused as refused:
            return as_json({"statusDesc": f"Invalid push request! {refused.text}"}, refused.status)
        response = await self._pushing.push(wanted.pubsub_topic, message)
        if response.status == LightPushStatus.OK:
            return as_json({"relayPeerCount": response.relay_peers or 0})
        status = response.status if response.status in _STATUSES else 500
        described = {} if response.description is None else {"statusDesc": response.description}
        return as_json(described, status)


def _wanted(value: Any) -> _Wanted:
    found = fields(value, ("pubsubTopic", "message"))
    if "message" not in found:
        raise UnreadableError("Field `message` is missing")
    pubsub_topic = text(found.get("pubsubTopic", ""), "pubsubTopic")
    return _Wanted(pubsub_topic or None, Written(found["message"]))
