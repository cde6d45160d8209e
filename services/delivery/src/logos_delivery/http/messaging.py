"""`/messaging/v1/…`: sending and receiving with confirmation, by polling (DHT-15)."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_base.errors import LogosError
from logos_delivery.core.applications import Happening
from logos_delivery.core.errors import MetaTooLongError
from logos_delivery.core.message import Message
from logos_delivery.core.sending.request import EventKind, Outgoing
from logos_delivery.http.answers import Refused, allowed, as_json, done
from logos_delivery.http.messages import hash_text, too_long_meta, written
from logos_delivery.http.paths import ANY, text_in
from logos_delivery.http.reading import fields, filled_text, flag, read, text, texts, unbase64
from logos_delivery.operations.event_polling import EventPolling
from logos_delivery.operations.sending import SendOperations
from logos_delivery.operations.subscriptions import SubscriptionOperations, TopicResult

SUBSCRIPTIONS: Final = "/messaging/v1/subscriptions"
MESSAGES: Final = "/messaging/v1/messages"
SENT: Final = "/messaging/v1/events/send"
SENT_BY_ID: Final = f"{SENT}/{{text:{ANY}}}"
RECEIVED: Final = "/messaging/v1/events/received"
_NS_PER_MS: Final = 1_000_000
_KNOWN: Final = ("payload", "contentTopic", "ephemeral", "meta")
PART: Final = 100
"""Topics that are subscribed to at once."""


class MessagingRoutes:
    """The messaging interface of this node."""

    def __init__(
        self, sending: SendOperations, subscriptions: SubscriptionOperations, polling: EventPolling
    ) -> None:
        self._sending = sending
        self._subscriptions = subscriptions
        self._polling = polling

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        for path in (SUBSCRIPTIONS, MESSAGES, SENT, SENT_BY_ID, RECEIVED):
            router.add_api_route(path, allowed, methods=["OPTIONS"])
        for path, method, endpoint in (
            (SUBSCRIPTIONS, "POST", self.subscribe),
            (SUBSCRIPTIONS, "DELETE", self.unsubscribe),
            (MESSAGES, "POST", self.send),
            (SENT, "GET", self.sent),
            (SENT_BY_ID, "GET", self.sent_by_id),
            (RECEIVED, "GET", self.received),
        ):
            router.add_api_route(path, endpoint, methods=[method])

    async def subscribe(self, request: Request) -> Response:
        """Subscribes to content topics."""
        topics = await read(request, texts)
        try:
            for at in range(0, len(topics), PART):
                _check(await self._subscriptions.subscribe(topics[at : at + PART]))
        except LogosError as error:
            raise Refused(f"Subscribe failed: {error}", 500) from error
        return done()

    async def unsubscribe(self, request: Request) -> Response:
        """Ends subscriptions; those that there are not are ended."""
        topics = await read(request, texts)
        try:
            for at in range(0, len(topics), PART):
                await self._subscriptions.unsubscribe(topics[at : at + PART])
        except LogosError as error:
            raise Refused(f"Unsubscribe failed: {error}", 500) from error
        return done()

    async def send(self, request: Request) -> Response:
        """Accepts a message; it is durable when this returns."""
        message = _message(await read(request, _envelope))
        try:
            pubsub_topic = self._subscriptions.pubsub_topic(message.content_topic)
            await self._subscriptions.subscribe([message.content_topic])
            accepted = await self._sending.send(Outgoing(pubsub_topic, message, via_mix=False))
        except LogosError as error:
            raise Refused(f"Send failed: {error}", 500) from error
        return as_json({"requestId": accepted.request_id})

    async def sent(self, _: Request) -> Response:
        """Returns what became of requests since the last time."""
        return as_json([_status(*one) for one in self._polling.fetch_requests()])

    async def sent_by_id(self, request: Request) -> Response:
        """Returns what became of one request since the last time."""
        request_id = text_in(request)
        found = self._polling.fetch_request(request_id)
        if found is None:
            raise Refused(f"No send events for requestId: {request_id[:200]}", 404)
        return as_json(_status(request_id, found))

    async def received(self, _: Request) -> Response:
        """Returns what was received since the last time, oldest first."""
        return as_json(
            [
                {
                    "messageHash": hash_text(one.message_hash),
                    "message": written(one.message, proof=True),
                }
                for one in self._polling.fetch_received()
                if one.message is not None
            ]
        )


def _envelope(value: Any) -> dict[str, Any]:
    found = fields(value, _KNOWN)
    return {
        "payload": filled_text(found, "payload"),
        "contentTopic": filled_text(found, "contentTopic"),
        "ephemeral": flag(found.get("ephemeral", False), "ephemeral"),
        "meta": text(found.get("meta", ""), "meta"),
    }


def _message(envelope: dict[str, Any]) -> Message:
    try:
        return Message(
            unbase64(envelope["payload"]),
            envelope["contentTopic"],
            meta=unbase64(envelope["meta"]),
            is_ephemeral=envelope["ephemeral"],
        )
    except MetaTooLongError as error:
        raise Refused(f"Invalid message: {too_long_meta(error)}") from error
    except ValueError as error:
        raise Refused(f"Invalid message: {error}") from error


def _check(results: list[TopicResult]) -> None:
    for one in results:
        if one.reason:
            raise Refused(f"Subscribe failed: {one.content_topic[:200]}: {one.reason}", 500)


def _status(request_id: str, events: list[Happening]) -> dict[str, Any]:
    return {"requestId": request_id, "events": [_event(one) for one in events]}


def _event(event: Happening) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": event.kind, "messageHash": hash_text(event.message_hash)}
    if event.kind == EventKind.ERROR.value:
        found["error"] = event.text
    found["timestamp"] = event.at_ms * _NS_PER_MS
    return found
