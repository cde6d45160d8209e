"""What a program is told of a push that stays without an answer (DHT-12)."""

import asyncio
from collections.abc import Sequence

import pytest

from logos_delivery.core.message import Message
from logos_delivery.operations import light_pushing
from logos_delivery.operations.light_push import LightPushClient
from logos_delivery.operations.light_pushing import LightPushing


class Silent:
    """Requests that are never answered."""

    async def ask(self, _peer: str, _protocol: str, _request: bytes, *, timeout_s: float) -> bytes:
        assert timeout_s > light_pushing.TIMEOUT_S
        return await asyncio.Event().wait() and b""

    async def tell(self, _peer: str, _protocol: str, _message: bytes, *, timeout_s: float) -> None:
        raise NotImplementedError(timeout_s)

    async def serve(self, _protocol: str, _answer: object) -> None:
        raise NotImplementedError


class OnePeer:
    """A service node that is known, and connected or not."""

    def __init__(self, *, is_connected: bool) -> None:
        self._is_connected = is_connected

    async def offer(self, _service: str) -> None:
        raise NotImplementedError

    async def find(self, _service: str) -> Sequence[str]:
        return ["peer"]

    async def connected(self, _service: str) -> Sequence[str]:
        return ["peer"] if self._is_connected else []


class Unchanged:
    """Messages as they come."""

    def topic_of(self, pubsub_topic: str, _content_topic: str) -> str:
        return pubsub_topic

    async def prepared(self, message: Message) -> Message:
        return message


@pytest.mark.parametrize(
    ("is_connected", "said"), [(True, "Push request timed out"), (False, "dial_failure")]
)
async def test_no_answer(monkeypatch: pytest.MonkeyPatch, said: str, *, is_connected: bool) -> None:
    monkeypatch.setattr(light_pushing, "TIMEOUT_S", 0.01)
    client = LightPushClient(Silent(), OnePeer(is_connected=is_connected))
    pushing = LightPushing(Unchanged(), client, None, max_message_bytes=1_000)  # type: ignore[arg-type]
    response = await pushing.push("/waku/2/rs/2/0", Message(b"x", "/a/1/b/proto"))
    assert response.description == said
