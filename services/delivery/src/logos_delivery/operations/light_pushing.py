"""A message of a program, published by light push: elsewhere, or by this node itself (DHT-12)."""

import asyncio
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.errors import (
    ContentTopicInvalidError,
    LightPeerMissingError,
    PeerFailedError,
)
from logos_delivery.core.light.light_push import (
    DIAL_FAILURE,
    LightPushRequest,
    LightPushResponse,
    LightPushStatus,
)
from logos_delivery.core.message import Message, check_size, encode
from logos_delivery.operations.light_push import LightPushAnswers, LightPushClient, status_of
from logos_delivery.operations.passing import Passing

TIMEOUT_S: Final = 5.0
NO_PEER: Final = "No suitable service peer & no discovery method"
"""The text of the reference."""
TIMED_OUT: Final = "Push request timed out"


class LightPushing:
    """Publishes by service nodes, or by the service of this node itself."""

    def __init__(
        self,
        passing: Passing,
        client: LightPushClient,
        own: LightPushAnswers | None,
        *,
        max_message_bytes: int,
    ) -> None:
        """`own` is None where other nodes are asked."""
        self._passing = passing
        self._client = client
        self._own = own
        self._max_message_bytes = max_message_bytes

    async def push(self, pubsub_topic: str | None, message: Message) -> LightPushResponse:
        """Returns the answer of the service node, or the reason why there is none."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._push(pubsub_topic, message)
        except TimeoutError:
            return _refused(LightPushStatus.SERVICE_UNAVAILABLE, await self._silence())
        except LightPeerMissingError:
            return _refused(LightPushStatus.SERVICE_UNAVAILABLE, NO_PEER)
        except PeerFailedError:
            return _refused(LightPushStatus.SERVICE_UNAVAILABLE, DIAL_FAILURE)
        except ContentTopicInvalidError as error:
            return _refused(LightPushStatus.INVALID_MESSAGE, f"Invalid content-topic:{error}")
        except LogosError as error:
            return _refused(status_of(error), str(error))

    async def _silence(self) -> str:
        """Why there is no answer: an address that swallows packets is dialled for minutes."""
        try:
            is_reached = self._own is not None or await self._client.reaches_one()
        except LogosError as error:
            return str(error)
        return TIMED_OUT if is_reached else DIAL_FAILURE

    async def _push(self, pubsub_topic: str | None, message: Message) -> LightPushResponse:
        topic = self._passing.topic_of(pubsub_topic or "", message.content_topic)
        message = await self._passing.prepared(message)
        check_size(encode(message), self._max_message_bytes)
        if self._own is not None:
            return await self._own.publish(LightPushRequest("", message, topic))
        return (await self._client.push(topic, message)).response


def _refused(status: LightPushStatus, text: str) -> LightPushResponse:
    return LightPushResponse("", status, text)
