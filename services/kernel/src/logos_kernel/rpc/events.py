"""`logos.kernel.v1.Events`: what modules tell one another."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from logos.kernel.v1 import events_pb2 as pb
from logos.kernel.v1 import events_pb2_grpc
from logos_base.capabilities import ModuleSubject, Subject
from logos_kernel.core.events import (
    OPERATOR,
    PAGE,
    DeadLetter,
    Event,
    InvalidEventError,
    NewEvent,
)
from logos_kernel.core.gaps import Missed
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.publish import owner_of, publish
from logos_kernel.operations.queue_groups import Member
from logos_kernel.operations.subscribe import (
    Bookmark,
    Consumer,
    Message,
    SourceAt,
    Start,
    consume,
    readable_topics,
    replay,
    subscribe,
)
from logos_kernel.rpc.capability import caller_of
from logos_kernel.rpc.convert import timestamp
from logos_module.contexts import Context

MAX_DELAY_MS: Final = 3_600_000
MAX_TIME_MS: Final = 2**53


class EventsServicer(events_pb2_grpc.EventsServicer):
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def Publish(self, request: pb.PublishRequest, context: Context) -> pb.PublishResponse:
        events = [NewEvent(one.payload, tuple(one.headers.items())) for one in request.events]
        by = caller_of(context)
        where = await publish(self._kernel, by, request.topic, events, request.key)
        return pb.PublishResponse(
            first_sequence=where.first, last_sequence=where.last, position=where.position
        )

    async def Subscribe(
        self, request: pb.SubscribeRequest, context: Context
    ) -> AsyncIterator[pb.SubscribeResponse]:
        messages = subscribe(
            self._kernel,
            caller_of(context),
            request.topics,
            _start(request.start),
            fails_on_gap=request.on_gap == pb.GAP_POLICY_FAIL,
        )
        async with aclosing(cast("AsyncGenerator[Message]", messages)):
            async for one in messages:
                yield _message_to_pb(one)

    async def Consume(  # type: ignore[override]  # a coroutine that writes does as well
        self, request_iterator: AsyncIterator[pb.ConsumeRequest], context: Context
    ) -> None:
        requests = aiter(request_iterator)
        first = await anext(requests, None)
        if first is None or first.WhichOneof("request") != "open":
            raise InvalidEventError("request: the first must be open", field="request")
        said = first.open
        joined = consume(
            self._kernel,
            caller_of(context),
            Consumer(said.group, said.topics, _start(said.start), said.max_in_flight),
        )
        async with joined as member, asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(_send(member, context))
            async for request in requests:
                await _settle(member, request)
            sending.cancel()

    async def Replay(
        self, request: pb.ReplayRequest, context: Context
    ) -> AsyncIterator[pb.ReplayResponse]:
        first, last = request.from_sequence, request.to_sequence
        if first < 0 or last < 0 or (last and first > last):
            raise InvalidEventError("from_sequence: must not be after to_sequence", field="topic")
        pages = replay(self._kernel, caller_of(context), request.topic, first, last)
        async with aclosing(cast("AsyncGenerator[tuple[Event, ...]]", pages)):
            async for events in pages:
                yield pb.ReplayResponse(events=map(_event_to_pb, events))

    async def ListTopics(
        self, request: pb.ListTopicsRequest, context: Context
    ) -> pb.ListTopicsResponse:
        topics = [
            pb.Topic(
                name=name,
                first_sequence=topic.removed + 1,
                last_sequence=topic.last,
                size_bytes=topic.size,
            )
            for name, topic in readable_topics(self._kernel, caller_of(context))
        ]
        return pb.ListTopicsResponse(topics=topics, position=self._kernel.events.log.position)

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, context: Context
    ) -> AsyncIterator[pb.ListDeadLettersResponse]:
        groups = self._kernel.events.groups
        for id_ in groups.letters_of(_group_of(caller_of(context), request.group)):
            letter = await groups.letter(id_)
            if letter is not None:
                yield pb.ListDeadLettersResponse(dead_letter=_letter_to_pb(letter))

    async def RequeueDeadLetters(
        self, request: pb.RequeueDeadLettersRequest, context: Context
    ) -> pb.RequeueDeadLettersResponse:
        if not request.group or len(request.ids) > PAGE:
            raise InvalidEventError(f"group and up to {PAGE} ids must be given", field="group")
        group = _group_of(caller_of(context), request.group)
        count = await self._kernel.events.groups.requeue(group, request.ids)
        return pb.RequeueDeadLettersResponse(requeued=count)


async def _send(member: Member, context: Context) -> None:
    while True:
        one = await member.next()
        if isinstance(one, Missed):
            await context.write(pb.ConsumeResponse(gap=_gap_to_pb(one)))
        else:
            delivery = pb.Delivery(event=_event_to_pb(one.event), refusals=one.refusals)
            await context.write(pb.ConsumeResponse(delivery=delivery))


async def _settle(member: Member, request: pb.ConsumeRequest) -> None:
    kind = request.WhichOneof("request")
    positions = request.nack.positions if kind == "nack" else request.ack.positions
    if kind not in {"ack", "nack"} or not 1 <= len(positions) <= PAGE:
        raise InvalidEventError(
            f"request: must be ack or nack, of 1 to {PAGE} positions", field="request"
        )
    if kind == "ack":
        await member.ack(positions)
        return
    delay_ms = _ms(request.nack.delay)
    if not 0 <= delay_ms <= MAX_DELAY_MS:
        raise InvalidEventError("delay: must be at most an hour", field="delay")
    await member.nack(positions, delay_ms)


def _ms(time: Timestamp | Duration) -> int:
    """Converts any values; the library's own conversion raises where they cannot be a time."""
    return time.seconds * 1000 + time.nanos // 1_000_000


def _start(said: pb.Start) -> Start:
    match said.WhichOneof("start"):
        case "after_position":
            return Start(after=said.after_position)
        case "time":
            return Start(at_ms=min(max(0, _ms(said.time)), MAX_TIME_MS))
        case "sequence":
            return Start(sequence=said.sequence)
    return Start()


def _group_of(by: Subject, said: str) -> str:
    """Returns the whole name of a group; a prefix for all, where none is named."""
    if isinstance(by, ModuleSubject):
        return f"{owner_of(by)}/{said}"
    return said if "/" in said or not said else f"{OPERATOR}/{said}"


def _message_to_pb(one: Message) -> pb.SubscribeResponse:
    match one:
        case Missed():
            return pb.SubscribeResponse(gap=_gap_to_pb(one))
        case SourceAt(module, is_armed, epoch):
            state = pb.SourceState(module=module, armed=is_armed, epoch=epoch)
            return pb.SubscribeResponse(source_state=state)
        case Bookmark(position):
            return pb.SubscribeResponse(bookmark=pb.Bookmark(position=position))
        case _:
            return pb.SubscribeResponse(batch=pb.EventBatch(events=map(_event_to_pb, one)))


def _gap_to_pb(missed: Missed) -> pb.Gap:
    return pb.Gap(topic=missed.topic, from_sequence=missed.first, to_sequence=missed.last)


def _event_to_pb(event: Event) -> pb.Event:
    return pb.Event(
        position=event.position,
        topic=event.topic,
        sequence=event.sequence,
        epoch=event.epoch,
        published_at=timestamp(event.at_ms),
        payload=event.said.payload,
        headers=dict(event.said.headers),
    )


def _letter_to_pb(letter: DeadLetter) -> pb.DeadLetter:
    return pb.DeadLetter(
        id=letter.id,
        group=letter.group,
        event=_event_to_pb(letter.event),
        refusals=letter.refusals,
    )
