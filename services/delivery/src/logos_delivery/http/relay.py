"""`/relay/v1/…` (DHT-7 to DHT-10)."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_base.errors import LogosError
from logos_delivery.core.errors import (
    ContentTopicInvalidError,
    DeliveryMessageTooLargeError,
    NotFollowedError,
)
from logos_delivery.core.message import Message
from logos_delivery.core.topics import is_pubsub_topic
from logos_delivery.http.answers import Refused, allowed, as_json, done, text
from logos_delivery.http.messages import Written, written
from logos_delivery.http.paths import ANY, text_in
from logos_delivery.http.reading import read, texts
from logos_delivery.operations.relay_polling import RelayPolling

SUBSCRIPTIONS: Final = "/relay/v1/subscriptions"
MESSAGES: Final = f"/relay/v1/messages/{{text:{ANY}}}"
AUTO_SUBSCRIPTIONS: Final = "/relay/v1/auto/subscriptions"
AUTO_PUBLISH: Final = "/relay/v1/auto/messages"
AUTO_MESSAGES: Final = f"/relay/v1/auto/messages/{{text:{ANY}}}"
_CLIENTS_FAULT: Final = (ContentTopicInvalidError, DeliveryMessageTooLargeError, NotFollowedError)


class RelayRoutes:
    """The relay of this node."""

    def __init__(self, relay: RelayPolling) -> None:
        self._relay = relay

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        for path in (SUBSCRIPTIONS, MESSAGES, AUTO_SUBSCRIPTIONS, AUTO_PUBLISH, AUTO_MESSAGES):
            router.add_api_route(path, allowed, methods=["OPTIONS"])
        for path, method, endpoint in (
            (SUBSCRIPTIONS, "POST", self.subscribe),
            (SUBSCRIPTIONS, "DELETE", self.unsubscribe),
            (AUTO_SUBSCRIPTIONS, "POST", self.subscribe_content),
            (AUTO_SUBSCRIPTIONS, "DELETE", self.unsubscribe_content),
            (MESSAGES, "GET", self.messages),
            (MESSAGES, "POST", self.publish),
            (AUTO_PUBLISH, "POST", self.publish_content),
            (AUTO_MESSAGES, "GET", self.content_messages),
        ):
            router.add_api_route(path, endpoint, methods=[method])

    async def subscribe(self, request: Request) -> Response:
        """Follows pubsub topics."""
        topics = _checked(await read(request, texts))
        try:
            await self._relay.subscribe(topics)
        except LogosError as error:
            raise Refused(f"Subscribe failed:{error}", 500) from error
        return done()

    async def unsubscribe(self, request: Request) -> Response:
        """Follows them no longer."""
        self._relay.unsubscribe(_checked(await read(request, texts)))
        return done()

    async def subscribe_content(self, request: Request) -> Response:
        """Follows the shards of content topics."""
        topics = await read(request, texts)
        try:
            await self._relay.subscribe_content(topics)
        except LogosError as error:
            raise Refused(f"Subscribe failed:{error}", 500) from error
        return done()

    async def unsubscribe_content(self, request: Request) -> Response:
        """Follows them no longer."""
        topics = await read(request, texts)
        try:
            self._relay.unsubscribe_content(topics)
        except LogosError as error:
            raise Refused(f"Unsubscribe failed:{error}", 500) from error
        return done()

    async def messages(self, request: Request) -> Response:
        """Returns what has come on a pubsub topic since the last time."""
        return _listed(self._relay.fetch(text_in(request)), "")

    async def content_messages(self, request: Request) -> Response:
        """Returns what has come of a content topic since the last time."""
        topic = text_in(request)
        return _listed(self._relay.fetch_content(topic), topic)

    async def publish(self, request: Request) -> Response:
        """Publishes at a pubsub topic."""
        message = (await read(request, Written)).message()
        try:
            await self._relay.publish(text_in(request), message)
        except LogosError as error:
            raise _failed(error) from error
        return done()

    async def publish_content(self, request: Request) -> Response:
        """Publishes at the shard of a content topic."""
        message = (await read(request, Written)).message()
        try:
            await self._relay.publish_content(message)
        except ContentTopicInvalidError as error:
            raise Refused(f"Failed to publish. Autosharding error: {error}") from error
        except LogosError as error:
            raise _failed(error) from error
        return done()


def _checked(topics: list[str]) -> list[str]:
    bad = [topic for topic in topics if not is_pubsub_topic(topic)]
    if bad:
        shown = ", ".join(f'"{topic[:200]}"' for topic in bad[:10])
        raise Refused(f"Invalid pubsub topic(s): @[{shown}]")
    return topics


def _listed(found: Sequence[Message] | None, unknown: str) -> Response:
    if found is None:
        return text(unknown, 404)
    return as_json([written(one, proof=True) for one in found])


def _failed(error: LogosError) -> Refused:
    status = 400 if isinstance(error, _CLIENTS_FAULT) else 500
    return Refused(f"Failed to publish: {error}", status)
