"""Events of a node with one module: what it publishes is counted, and it is told nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from logos.kernel.v1 import events_pb2, events_pb2_grpc
from logos_base.errors import ErrorKind, LogosError


class TopicNotOwnedError(LogosError):
    """A module publishes on topics of its own."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "TOPIC_NOT_OWNED"


class UnknownDeadLetterError(LogosError):
    """No such letter of that group."""

    kind = ErrorKind.NOT_FOUND
    reason = "DEAD_LETTER_NOT_FOUND"


class QuietEvents(events_pb2_grpc.EventsServicer):
    """Takes what a module publishes; its subscriptions wait (KER-34, KER-36)."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._sequences: Counter[str] = Counter()

    async def Publish(self, request: Any, context: Any) -> events_pb2.PublishResponse:
        if not request.topic.startswith(f"{self._module}/"):
            raise TopicNotOwnedError(f"topic: {request.topic} is not the module's")
        first = self._sequences[request.topic] + 1
        self._sequences[request.topic] += len(request.events)
        return events_pb2.PublishResponse(
            first_sequence=first,
            last_sequence=self._sequences[request.topic],
            position=self._sequences.total(),
        )

    async def Subscribe(
        self, request: Any, context: Any
    ) -> AsyncIterator[events_pb2.SubscribeResponse]:
        bookmark = events_pb2.Bookmark(position=self._sequences.total())
        yield events_pb2.SubscribeResponse(bookmark=bookmark)
        await asyncio.Event().wait()

    async def Consume(  # type: ignore[override]  # a coroutine that writes does as well
        self, requests: Any, context: Any
    ) -> None:
        async for _ in requests:
            pass

    async def Replay(self, request: Any, context: Any) -> None:  # type: ignore[override]
        """Nothing is kept."""

    async def ListTopics(self, request: Any, context: Any) -> events_pb2.ListTopicsResponse:
        topics = [
            events_pb2.Topic(name=name, first_sequence=last + 1, last_sequence=last)
            for name, last in self._sequences.items()
        ]
        return events_pb2.ListTopicsResponse(topics=topics, position=self._sequences.total())

    async def ListDeadLetters(self, request: Any, context: Any) -> None:  # type: ignore[override]
        """There are none."""

    async def RequeueDeadLetters(
        self, request: Any, context: Any
    ) -> events_pb2.RequeueDeadLettersResponse:
        raise UnknownDeadLetterError(f"{request.group} has no dead letters")
