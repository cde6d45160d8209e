"""`/filter/v2/…` (DHT-11)."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_delivery.core.errors import LightPeerMissingError
from logos_delivery.core.light.filter_wire import FilterResponse, FilterStatus
from logos_delivery.http.answers import JSON, Refused, as_json
from logos_delivery.http.messages import written
from logos_delivery.http.paths import ANY, last_text_in, text_in
from logos_delivery.http.reading import UnreadableError, fields, read, text, texts
from logos_delivery.operations.filter_polling import FilterPolling

SUBSCRIPTIONS: Final = "/filter/v2/subscriptions"
ALL: Final = "/filter/v2/subscriptions/all"
PING: Final = f"/filter/v2/subscriptions/{{text:{ANY}}}"
BEFORE_MESSAGES: Final = "/filter/v2/messages/"
NO_PEER: Final = "SERVICE_UNAVAILABLE: No suitable service peer & no discovery method"
_HTTP: Final[dict[int, int]] = {
    FilterStatus.OK: 200,
    FilterStatus.BAD_RESPONSE: 500,
    FilterStatus.BAD_REQUEST: 400,
    FilterStatus.NOT_FOUND: 404,
    FilterStatus.TOO_MANY_REQUESTS: 429,
    FilterStatus.SERVICE_UNAVAILABLE: 503,
    FilterStatus.PEER_DIAL_FAILURE: 504,
}


class _Wanted(NamedTuple):
    request_id: str
    pubsub_topic: str | None = None
    content_topics: tuple[str, ...] = ()


class FilterRoutes:
    """Subscriptions of this node at a service node."""

    def __init__(self, polling: FilterPolling) -> None:
        self._polling = polling

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        for path, method, endpoint in (
            (SUBSCRIPTIONS, "POST", self.subscribe),
            (SUBSCRIPTIONS, "PUT", self.subscribe),
            (SUBSCRIPTIONS, "DELETE", self.unsubscribe),
            (ALL, "DELETE", self.unsubscribe_all),
            (PING, "GET", self.ping),
            (f"{BEFORE_MESSAGES}{{text:{ANY}}}", "GET", self.messages),
        ):
            router.add_api_route(path, endpoint, methods=[method])

    async def subscribe(self, request: Request) -> Response:
        """Subscribes to content topics."""

        async def ask(wanted: _Wanted) -> FilterResponse:
            return await self._polling.subscribe(wanted.pubsub_topic, wanted.content_topics)

        return await _answer(request, _topics, ask)

    async def unsubscribe(self, request: Request) -> Response:
        """Ends subscriptions."""

        async def ask(wanted: _Wanted) -> FilterResponse:
            return await self._polling.unsubscribe(wanted.pubsub_topic, wanted.content_topics)

        return await _answer(request, _topics, ask)

    async def unsubscribe_all(self, request: Request) -> Response:
        """Ends all subscriptions."""

        async def ask(_: _Wanted) -> FilterResponse:
            return await self._polling.unsubscribe_all()

        return await _answer(request, _request_id, ask)

    async def ping(self, request: Request) -> Response:
        """Asks whether the service node has a subscription."""
        return await _asked(text_in(request), self._polling.ping())

    async def messages(self, request: Request) -> Response:
        """Returns what was pushed of a content topic since the last time."""
        topic = last_text_in(request, BEFORE_MESSAGES)
        found = self._polling.fetch(topic)
        if found is None:
            raise Refused(f"Not subscribed to topic: {topic}")
        return as_json([written(one, proof=False) for one in found])


async def _answer(
    request: Request,
    convert: Callable[[Any], _Wanted],
    ask: Callable[[_Wanted], Awaitable[FilterResponse]],
) -> Response:
    try:
        wanted = await read(request, convert, (JSON,))
    except Refused as refused:
        described = f"BAD_REQUEST: Failed to decode request: {refused.text}"
        return as_json({"requestId": "unknown", "statusDesc": described}, refused.status)
    return await _asked(wanted.request_id, ask(wanted))


async def _asked(request_id: str, asking: Awaitable[FilterResponse]) -> Response:
    try:
        response = await asking
    except LightPeerMissingError:
        return as_json({"requestId": request_id, "statusDesc": NO_PEER}, 503)
    described = "OK" if response.is_ok else response.description or "UNKNOWN"
    answer = {"requestId": request_id, "statusDesc": described}
    return as_json(answer, _HTTP.get(response.status, 500))


def _topics(value: Any) -> _Wanted:
    found = fields(value, ("requestId", "pubsubTopic", "contentFilters"))
    request_id = _id_in(found)
    if "contentFilters" not in found:
        raise UnreadableError("Field `contentFilters` is missing")
    content_topics = tuple(texts(found["contentFilters"]))
    if not content_topics:
        raise UnreadableError("Field `contentFilters` is empty")
    pubsub_topic = text(found.get("pubsubTopic", ""), "pubsubTopic")
    return _Wanted(request_id, pubsub_topic or None, content_topics)


def _request_id(value: Any) -> _Wanted:
    return _Wanted(_id_in(fields(value, ("requestId",))))


def _id_in(found: dict[str, Any]) -> str:
    if "requestId" not in found:
        raise UnreadableError("Field `requestId` is missing")
    return text(found["requestId"], "requestId")
