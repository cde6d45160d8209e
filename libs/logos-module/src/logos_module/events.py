"""Events of a node, for modules: publish, subscribe, and share work in a group (KER-34 to KER-38).

All go on by themselves across restarts of the kernel: what is published is published once, and
a subscription resumes at its place.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from logos.kernel.v1 import events_pb2 as pb
from logos.kernel.v1 import events_pb2_grpc
from logos_module.errors import reason_of

log = logging.getLogger(__name__)

RETRY_S: Final = 0.2
PUBLISH_TIMEOUT_S: Final = 30.0

_TRANSIENT: Final = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNAUTHENTICATED,  # a new kernel, with which the session registers soon
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


@dataclass(frozen=True, slots=True)
class Event:
    """One event."""

    position: int
    """Counts the events of the node from 1: a place to go on from."""
    topic: str
    sequence: int
    """Counts the events of the topic from 1, without gaps."""
    epoch: int
    """Of the module that has published it."""
    at_ms: int
    """Wall clock, milliseconds since 1970 UTC."""
    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that were removed before this module has read them."""

    topic: str
    first: int
    """Sequence; 0: not known."""
    last: int
    """Sequence."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whether a module that is read is READY."""

    module: str
    is_ready: bool
    epoch: int


@dataclass(frozen=True, slots=True)
class Published:
    """Where events are."""

    first_sequence: int
    last_sequence: int
    position: int
    """Of the last."""


Handler = Callable[[Event], Awaitable[None]]


class Events:
    """The events of the node, as one module sees them."""

    def __init__(self, kernel: grpc.aio.Channel, module: str) -> None:
        self._stub: Any = events_pb2_grpc.EventsStub(kernel)
        self._module = module

    async def publish(
        self,
        event: str,
        *payloads: bytes,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = PUBLISH_TIMEOUT_S,
    ) -> Published:
        """Adds events to the topic `<this module>/<event>`; they are durable then.

        While the kernel is not there, it is tried again until `timeout_s` is over. What was
        published already is not published again.

        Args:
            event: Name of the topic, without the module's.
            payloads: From 1 to 1,000, of up to 64 KiB each and 1 MiB in all.
            headers: Of each of the events.
            timeout_s: In all; None: until they are published.

        Raises:
            grpc.aio.AioRpcError: The kernel refuses them.
            TimeoutError: It was not there for so long; nobody knows if they are published.
        """
        events = [pb.NewEvent(payload=one, headers=headers or {}) for one in payloads]
        topic, key = f"{self._module}/{event}", secrets.token_hex(16)
        request = pb.PublishRequest(topic=topic, events=events, key=key)
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    said = await self._stub.Publish(request)
                except grpc.aio.AioRpcError as error:
                    if reason_of(error) != "QUEUE_FULL":
                        _raise_unless_transient(error)
                else:
                    return Published(said.first_sequence, said.last_sequence, said.position)
                await asyncio.sleep(RETRY_S)

    async def subscribe(
        self, *topics: str, after: int | None = None
    ) -> AsyncIterator[Event | Gap | Source]:
        """Streams events, in order, and waits for more; tells what is missing.

        Each event comes once for as long as this runs. To go on after a restart of the module,
        keep the position of the last event that was dealt with.

        Args:
            topics: `module/event`, `module/*` or `*`, as `module.toml` has them in `subscribes`.
            after: A position to go on from; 0: all that is kept; None: what comes from now on.

        Raises:
            grpc.aio.AioRpcError: The kernel refuses it.
        """
        while True:
            start = pb.Start() if after is None else pb.Start(after_position=after)
            try:
                async for said in self._stub.Subscribe(
                    pb.SubscribeRequest(topics=topics, start=start)
                ):
                    match said.WhichOneof("message"):
                        case "batch":
                            for one in said.batch.events:
                                after = one.position
                                yield _event(one)
                        case "gap":
                            gap = said.gap
                            yield Gap(gap.topic, gap.from_sequence, gap.to_sequence)
                        case "source_state":
                            state = said.source_state
                            yield Source(state.module, state.armed, state.epoch)
                        case "bookmark":
                            after = said.bookmark.position
            except grpc.aio.AioRpcError as error:
                _raise_unless_transient(error)
            await asyncio.sleep(RETRY_S)

    async def consume(
        self,
        group: str,
        *topics: str,
        handle: Handler,
        from_start: bool = False,
        in_flight: int = 16,
        retry_s: float = 1.0,
    ) -> None:
        """Handles events as a member of a durable group; runs until cancelled.

        Each event goes to one member of the group. It is done with when `handle` returns; if it
        raises, the event comes again after `retry_s`, to whom it may, and after five times is a
        dead letter. An event may come twice: after a restart of the kernel, or of this module.

        Args:
            group: Its name; it is this module's own, and all its members read the same topics.
            topics: As of `subscribe`.
            handle: Called with one event at a time.
            from_start: A new group begins with all that is kept, not with what comes.
            in_flight: Events that may wait here, up to 256.
            retry_s: Before an event comes again.

        Raises:
            grpc.aio.AioRpcError: The kernel refuses it.
        """
        opening = pb.OpenGroup(group=group, topics=topics, max_in_flight=in_flight)
        if from_start:
            opening.start.after_position = 0
        while True:
            try:
                await self._consume(opening, handle, retry_s)
            except grpc.aio.AioRpcError as error:
                _raise_unless_transient(error)
            await asyncio.sleep(RETRY_S)

    async def _consume(self, opening: pb.OpenGroup, handle: Handler, retry_s: float) -> None:
        call = self._stub.Consume()
        try:
            await _write(call, pb.ConsumeRequest(open=opening))
            while (said := await call.read()) is not grpc.aio.EOF:
                if said.WhichOneof("message") == "gap":
                    gap = said.gap
                    extra = {"topic": gap.topic, "from": gap.from_sequence, "to": gap.to_sequence}
                    log.warning("events were removed before they were read", extra=extra)
                    continue
                position = said.delivery.event.position
                request = pb.ConsumeRequest(ack=pb.Ack(positions=[position]))
                try:
                    await handle(_event(said.delivery.event))
                except Exception:
                    log.exception("event not handled", extra={"position": position})
                    nack = pb.Nack(positions=[position])
                    nack.delay.FromMilliseconds(int(1000 * retry_s))
                    request = pb.ConsumeRequest(nack=nack)
                await _write(call, request)
        finally:
            call.cancel()


async def _write(call: Any, request: pb.ConsumeRequest) -> None:
    """Sends a request; if the stream has ended, the next read tells why."""
    try:
        await call.write(request)
    except asyncio.InvalidStateError:
        log.debug("stream of events has ended")


def _event(said: pb.Event) -> Event:
    return Event(
        position=said.position,
        topic=said.topic,
        sequence=said.sequence,
        epoch=said.epoch,
        at_ms=said.published_at.ToMilliseconds(),
        payload=said.payload,
        headers=dict(said.headers),
    )


def _raise_unless_transient(error: grpc.aio.AioRpcError) -> None:
    if error.code() not in _TRANSIENT:
        raise error
    log.debug("the kernel is not there", extra={"why": error.details()})
