"""KER-34 to KER-39 over gRPC: events of a node."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gates import borne
from observing_kernel import FakeModule, Kernel, declares, refusal

from logos.kernel.v1 import (
    capability_pb2,
    capability_pb2_grpc,
    events_pb2_grpc,
    module_pb2,
    registry_pb2,
)
from logos.kernel.v1 import events_pb2 as pb
from logos_client.channels import open_channel
from logos_kernel.core.events import MAX_PAYLOAD_BYTES, Limits
from logos_kernel.core.queue_group import MAX_REFUSALS

READY = module_pb2.MODULE_STATE_READY


class Rig:
    """Two modules, and an operator. `base` publishes, `top` reads."""

    def __init__(self, kernel: Kernel, base: FakeModule, top: FakeModule) -> None:
        self.kernel, self.publisher = kernel, base
        self.base: Any = events_pb2_grpc.EventsStub(base.to_kernel)
        self.top: Any = events_pb2_grpc.EventsStub(top.to_kernel)
        self.operator: Any = events_pb2_grpc.EventsStub(kernel.channel)

    def publish(
        self, *payloads: bytes, topic: str = "base/x", key: str = "", by: Any = None
    ) -> Any:
        events = [pb.NewEvent(payload=one, headers={"kind": "test"}) for one in payloads]
        request = pb.PublishRequest(topic=topic, events=events, key=key)
        return (by or self.base).Publish(request)

    def subscribe(self, *topics: str, by: Any = None, **fields: Any) -> Any:
        return (by or self.top).Subscribe(pb.SubscribeRequest(topics=topics, **fields))


@pytest.fixture
async def rig(kernel: Kernel, start: Any) -> Rig:
    base, top = await start("base"), await start("top")
    for module in (base, top):
        await kernel.register(module)
    declares(kernel, "top", "base/*", "kernel/transition", "later/x")
    return Rig(kernel, base, top)


async def batches(stream: Any) -> AsyncIterator[pb.Event]:
    async for one in stream:
        for event in one.batch.events:
            yield event


async def take(stream: Any, count: int) -> list[pb.Event]:
    """Returns the next events of a subscription."""
    found: list[pb.Event] = []
    while len(found) < count:
        found += (await stream.read()).batch.events
    return found


async def until(stream: Any, kind: str) -> Any:
    """Returns the next message of a kind."""
    while True:
        one = await stream.read()
        if one.WhichOneof("message") == kind:
            return getattr(one, kind)


async def test_what_one_module_publishes_another_receives(rig: Rig) -> None:
    stream = rig.subscribe("base/*")
    await until(stream, "bookmark")

    where = await rig.publish(b"one", b"two")
    first, second = await take(stream, 2)

    assert (where.first_sequence, where.last_sequence) == (1, 2)
    assert second.position == where.position == first.position + 1
    assert (first.topic, first.sequence, first.epoch) == ("base/x", 1, 1)
    assert (first.payload, dict(first.headers)) == (b"one", {"kind": "test"})
    assert first.published_at.ToMilliseconds() == 1_700_000_000_000


async def test_a_subscription_precedes_its_topic(rig: Rig) -> None:
    """kernel.md 14.23: and the first event after it is received."""
    stream = rig.subscribe("base/unborn", "later/x")
    await until(stream, "bookmark")

    await rig.publish(b"first", topic="base/unborn")

    assert [one.payload for one in await take(stream, 1)] == [b"first"]


async def test_a_subscriber_goes_on_where_it_was(rig: Rig) -> None:
    """kernel.md 14.24."""
    stream = rig.subscribe("base/*")
    await until(stream, "bookmark")
    await rig.publish(b"1", b"2", b"3")
    position = (await take(stream, 3))[1].position
    stream.cancel()
    await rig.publish(b"4")

    again = rig.subscribe("base/*", start=pb.Start(after_position=position))

    assert [one.payload for one in await take(again, 2)] == [b"3", b"4"]


async def test_begins_with_all_a_time_or_a_sequence(rig: Rig) -> None:
    await rig.publish(b"1", b"2")
    early, late = pb.Start(), pb.Start()
    early.time.FromMilliseconds(1_600_000_000_000)
    late.time.FromMilliseconds(1_800_000_000_000)
    starts = [pb.Start(after_position=0), early, pb.Start(sequence=2), pb.Start(sequence=3), late]
    streams = [rig.subscribe("base/x", start=start) for start in starts]
    for stream in streams:
        await until(stream, "bookmark")
    await rig.publish(b"3")

    found = [(await take(stream, 1))[0].payload for stream in streams]

    assert found == [b"1", b"1", b"2", b"3", b"3"]


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        (pb.Start(after_position=2**40), ("OUT_OF_RANGE", "POSITION_UNKNOWN")),
        (pb.Start(after_position=-1), ("OUT_OF_RANGE", "POSITION_UNKNOWN")),
        (pb.Start(sequence=2), ("OUT_OF_RANGE", "SEQUENCE_UNKNOWN")),
        (pb.Start(sequence=0), ("INVALID_ARGUMENT", "INVALID_EVENT")),
    ],
)
async def test_a_place_that_cannot_be_is_refused(rig: Rig, begin: pb.Start, reason: Any) -> None:
    assert await refusal(rig.subscribe("base/x", start=begin).read()) == reason


@pytest.mark.parametrize("seconds", [-(2**63), 2**63 - 1])
async def test_a_time_that_is_none_is_the_nearest(rig: Rig, seconds: int) -> None:
    await rig.publish(b"old")
    begin = pb.Start()
    begin.time.seconds, begin.time.nanos = seconds, -1
    stream = rig.subscribe("base/x", start=begin)
    await until(stream, "bookmark")
    await rig.publish(b"new")

    assert [one.payload for one in await take(stream, 1)] == [b"old" if seconds < 0 else b"new"]


async def test_a_gap_is_told_or_ends_the_stream(rig: Rig) -> None:
    """kernel.md 14.24, 14.25 and 14.15: OUT_OF_RANGE."""
    events = rig.kernel.node.kernel.events
    events.log._limits = Limits(topic_events=2, segment=1, tail_bytes=150)
    for at in range(6):
        await rig.publish(b"%d" % at)

    told = rig.subscribe("base/x", start=pb.Start(sequence=1))
    failing = rig.subscribe("base/x", start=pb.Start(after_position=0), on_gap=pb.GAP_POLICY_FAIL)

    gap = await until(told, "gap")
    following = (await take(told, 1))[0].sequence
    assert (gap.topic, gap.from_sequence, gap.to_sequence) == ("base/x", 1, following - 1)
    assert await _end_of(failing) == ("OUT_OF_RANGE", "HISTORY_COMPACTED")
    replayed = rig.top.Replay(pb.ReplayRequest(topic="base/x", from_sequence=1))
    assert await refusal(replayed.read()) == ("OUT_OF_RANGE", "HISTORY_COMPACTED")


async def _end_of(stream: Any) -> tuple[str, str]:
    async def drain() -> None:
        while await stream.read():
            pass

    return await refusal(drain())


async def test_a_subscriber_that_does_not_read_holds_one_page(rig: Rig) -> None:
    """kernel.md 14.25: it falls behind in the log, and nothing waits for it in memory."""
    stream = rig.subscribe("base/x")
    await until(stream, "bookmark")
    large = bytes(MAX_PAYLOAD_BYTES)
    for _ in range(20):
        await rig.publish(*[large] * 15)

    events = rig.kernel.node.kernel.events
    held = sum(one.said.size for one in events.log._tail)
    assert held <= Limits().tail_bytes
    assert [one.sequence for one in await take(stream, 300)] == list(range(1, 301))


async def test_the_state_of_a_source_is_told_with_its_epoch(rig: Rig, start: Any) -> None:
    """kernel.md 14.25."""
    stream = rig.subscribe("base/*")
    told = [await until(stream, "source_state")]
    module = rig.publisher
    for _ in range(2):
        session = await rig.kernel.make_ready(module)
        told.append(await until(stream, "source_state"))
        await rig.publish(b"x", by=events_pb2_grpc.EventsStub(module.to_kernel))
        lease = rig.kernel.modules.find("base").lease
        assert lease is not None
        left = registry_pb2.DeregisterRequest(lease_id=lease.lease_id)
        await module.registry.Deregister(left)
        session.cancel()
        told.append(await until(stream, "source_state"))
        await module.server.stop(0)
        module = await start("base")

    assert [(one.armed, one.epoch) for one in told[:3]] == [(False, 1), (True, 1), (False, 1)]
    assert [one.armed for one in told[3:]] == [True, False]
    assert told[3].epoch == told[4].epoch == 2
    found = rig.top.Replay(pb.ReplayRequest(topic="base/x"))
    events = [one async for page in found for one in page.events]
    assert [(one.sequence, one.epoch) for one in events] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("topic", ["top/x", "kernel/transition", "operator/x", "nobody/x"])
async def test_a_topic_is_its_modules_alone(rig: Rig, topic: str) -> None:
    """kernel.md 14.26."""
    denied = ("PERMISSION_DENIED", "TOPIC_NOT_OWNED")

    assert await refusal(rig.publish(b"x", topic=topic)) == denied
    assert ("module:base", topic) in [
        (one.actor, one.subject) for one in rig.kernel.node.kernel.audit._waiting
    ] + [(one.actor, one.subject) for one in rig.kernel.store.records]


async def test_an_operator_publishes_as_operator(rig: Rig) -> None:
    denied = ("PERMISSION_DENIED", "TOPIC_NOT_OWNED")

    assert await refusal(rig.publish(b"x", by=rig.operator)) == denied
    where = await rig.publish(b"x", topic="operator/note", by=rig.operator)
    assert where.first_sequence == 1


async def test_a_viewer_reads_and_no_more(rig: Rig) -> None:
    """KER-36."""
    admin: Any = capability_pb2_grpc.CapabilityStub(rig.kernel.channel)
    asked = capability_pb2.IssueOperatorTokenRequest(name="eve", role=capability_pb2.ROLE_VIEWER)
    bearer = (await admin.IssueOperatorToken(asked)).bearer
    async with borne(open_channel(rig.kernel.front), bearer) as channel:
        viewer: Any = events_pb2_grpc.EventsStub(channel)
        denied = ("PERMISSION_DENIED", "ROLE_DENIED")

        await until(rig.subscribe("*", by=viewer), "bookmark")
        assert await refusal(rig.publish(b"x", topic="operator/x", by=viewer)) == denied
        assert await refusal(viewer.Consume(iter([pb.ConsumeRequest()])).read()) == denied
        request = pb.RequeueDeadLettersRequest(group="top/g")
        assert await refusal(viewer.RequeueDeadLetters(request)) == denied


async def test_an_older_instance_publishes_no_more(rig: Rig) -> None:
    """kernel.md 14.14."""
    await rig.publish(b"x")
    rig.kernel.modules.find("base").epoch = 2

    assert await refusal(rig.publish(b"x")) == ("ABORTED", "STALE_EPOCH")


async def test_a_batch_with_a_key_is_published_once(rig: Rig) -> None:
    first = await rig.publish(b"1", b"2", key="k")

    assert await rig.publish(b"1", b"2", key="k") == first
    assert await refusal(rig.publish(b"1", key="k")) == ("INVALID_ARGUMENT", "KEY_REUSED")
    assert (await rig.publish(b"3", key="l")).first_sequence == 3


@pytest.mark.parametrize("topics", [["top/*", "kernel/x"], ["*"], ["later/*"]])
async def test_a_module_reads_its_own_topics_and_what_it_declares(
    rig: Rig, topics: Sequence[str]
) -> None:
    denied = ("PERMISSION_DENIED", "SUBSCRIPTION_DENIED")
    await rig.publish(b"x", topic="top/own", by=rig.top)

    assert await refusal(rig.subscribe(*topics).read()) == denied
    opened = pb.ConsumeRequest(open=pb.OpenGroup(group="g", topics=topics))
    assert await refusal(rig.top.Consume(iter([opened])).read()) == denied
    replayed = rig.base.Replay(pb.ReplayRequest(topic="top/own"))
    assert await refusal(replayed.read()) == denied
    await until(rig.subscribe("top/*", "base/x", "later/x"), "bookmark")
    listed = await rig.base.ListTopics(pb.ListTopicsRequest())
    assert "top/own" not in [one.name for one in listed.topics]


@pytest.mark.parametrize(
    "topics",
    [[], ["base"], ["base/"], ["/x"], ["base/x/y"], ["BASE/x"], ["base/*"] * 2, ["*"] * 17],
)
async def test_malformed_topics_are_refused(rig: Rig, topics: Sequence[str]) -> None:
    invalid = ("INVALID_ARGUMENT", "INVALID_EVENT")

    assert await refusal(rig.subscribe(*topics, by=rig.operator).read()) == invalid


@pytest.mark.parametrize(
    "request_",
    [
        pb.PublishRequest(topic="base/x"),
        pb.PublishRequest(topic="base", events=[pb.NewEvent()]),
        pb.PublishRequest(topic="base/*", events=[pb.NewEvent()]),
        pb.PublishRequest(topic="base/x", events=[pb.NewEvent()] * 1001),
        pb.PublishRequest(topic="base/x", events=[pb.NewEvent()], key="k" * 65),
        pb.PublishRequest(topic="base/x", events=[pb.NewEvent(payload=bytes(65537))]),
        pb.PublishRequest(topic="base/x", events=[pb.NewEvent(payload=bytes(65536))] * 17),
        pb.PublishRequest(topic="base/x", events=[pb.NewEvent(headers={"a": "b" * 1024})]),
    ],
    ids=["none", "module", "pattern", "many", "key", "payload", "large", "headers"],
)
async def test_what_is_too_much_is_refused(rig: Rig, request_: pb.PublishRequest) -> None:
    invalid = ("INVALID_ARGUMENT", "INVALID_EVENT")

    assert await refusal(rig.base.Publish(request_)) == invalid


async def test_transitions_are_events(rig: Rig) -> None:
    """KER-39."""
    stream = rig.subscribe("kernel/transition", start=pb.Start(after_position=0))

    found = [module_pb2.Transition.FromString(one.payload) for one in await take(stream, 4)]

    assert [one.revision for one in found[:4]] == [1, 2, 3, 4]
    assert {one.module for one in found} == {"base", "top"}


async def test_topics_are_listed_and_replayed(rig: Rig) -> None:
    await rig.publish(b"1", b"2", b"3")

    listed = await rig.top.ListTopics(pb.ListTopicsRequest())
    topic = next(one for one in listed.topics if one.name == "base/x")
    replayed = rig.top.Replay(pb.ReplayRequest(topic="base/x", from_sequence=2))

    assert (topic.first_sequence, topic.last_sequence) == (1, 3)
    assert [one.payload async for page in replayed for one in page.events] == [b"2", b"3"]
    beyond = rig.top.Replay(pb.ReplayRequest(topic="base/x", to_sequence=4))
    assert await refusal(beyond.read()) == ("OUT_OF_RANGE", "SEQUENCE_UNKNOWN")
    unknown = rig.top.Replay(pb.ReplayRequest(topic="base/unknown"))
    assert await refusal(unknown.read()) == ("NOT_FOUND", "TOPIC_NOT_FOUND")


class Consumer:
    """One member of a group."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def next(self) -> pb.Delivery:
        return (await self.call.read()).delivery

    async def ack(self, *positions: int) -> None:
        await self.call.write(pb.ConsumeRequest(ack=pb.Ack(positions=positions)))

    async def nack(self, *positions: int) -> None:
        await self.call.write(pb.ConsumeRequest(nack=pb.Nack(positions=positions)))


@asynccontextmanager
async def consuming(stub: Any, room: int = 1, *topics: str) -> AsyncIterator[Consumer]:
    call = stub.Consume()
    opening = pb.OpenGroup(
        group="g",
        topics=topics or ["base/x"],
        max_in_flight=room,
        start=pb.Start(after_position=0),
    )
    await call.write(pb.ConsumeRequest(open=opening))
    try:
        yield Consumer(call)
    finally:
        call.cancel()


async def test_each_event_goes_to_one_member(rig: Rig) -> None:
    """kernel.md 14.26."""
    await rig.publish(b"1", b"2", b"3")
    async with consuming(rig.top) as one, consuming(rig.top) as two:
        first, second = await one.next(), await two.next()
        await one.ack(first.event.position)
        third = await one.next()

        found = [first.event.payload, second.event.payload, third.event.payload]
        assert sorted(found) == [b"1", b"2", b"3"]


async def test_what_a_lost_member_had_goes_to_another(rig: Rig) -> None:
    await rig.publish(b"1")
    async with consuming(rig.top) as one:
        await one.next()
    async with consuming(rig.top) as two:
        assert (await two.next()).event.payload == b"1"


async def test_a_dead_letter_is_listed_and_requeued(rig: Rig) -> None:
    """kernel.md 14.26."""
    await rig.publish(b"1", b"2")
    async with consuming(rig.top) as one:
        for refusals in range(MAX_REFUSALS):
            delivered = await one.next()
            assert (delivered.event.payload, delivered.refusals) == (b"1", refusals)
            await one.nack(delivered.event.position)
        assert (await one.next()).event.payload == b"2"
        of_top = [one async for one in rig.top.ListDeadLetters(pb.ListDeadLettersRequest())]
        letter = of_top[0].dead_letter
        assert (letter.group, letter.event.payload, letter.refusals) == ("top/g", b"1", 5)
        assert not [one async for one in rig.base.ListDeadLetters(pb.ListDeadLettersRequest())]
        listed = rig.operator.ListDeadLetters(pb.ListDeadLettersRequest(group="top/g"))
        assert [one.dead_letter async for one in listed] == [letter]

        request = pb.RequeueDeadLettersRequest(group="g", ids=[letter.id])
        missing = ("NOT_FOUND", "DEAD_LETTER_NOT_FOUND")
        assert await refusal(rig.base.RequeueDeadLetters(request)) == missing
        assert (await rig.top.RequeueDeadLetters(request)).requeued == 1

    async with consuming(rig.top, 2) as two:
        assert {(await two.next()).event.payload for _ in range(2)} == {b"1", b"2"}


async def test_a_group_reads_what_it_read_before(rig: Rig) -> None:
    async with consuming(rig.top) as one, consuming(rig.top, 1, "base/y") as other:
        await rig.publish(b"1")
        await one.next()
        assert await refusal(other.call.read()) == ("INVALID_ARGUMENT", "GROUP_MISMATCH")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.ConsumeRequest(ack=pb.Ack(positions=[99])), "NOT_IN_FLIGHT"),
        (pb.ConsumeRequest(nack=pb.Nack(positions=[99])), "NOT_IN_FLIGHT"),
        (pb.ConsumeRequest(ack=pb.Ack()), "INVALID_EVENT"),
        (pb.ConsumeRequest(), "INVALID_EVENT"),
        (pb.ConsumeRequest(open=pb.OpenGroup(group="g", topics=["base/x"])), "INVALID_EVENT"),
    ],
)
async def test_strange_requests_end_the_stream(
    rig: Rig, request_: pb.ConsumeRequest, reason: str
) -> None:
    async with consuming(rig.top) as one:
        await one.call.write(request_)

        assert await refusal(one.call.read()) == ("INVALID_ARGUMENT", reason)


async def test_a_stream_begins_with_open(rig: Rig) -> None:
    first = pb.ConsumeRequest(ack=pb.Ack(positions=[1]))
    invalid = ("INVALID_ARGUMENT", "INVALID_EVENT")

    assert await refusal(rig.top.Consume(iter([first])).read()) == invalid
    for bad in ({"group": "G"}, {"group": "g", "max_in_flight": 257}):
        opened = pb.ConsumeRequest(open=pb.OpenGroup(topics=["base/x"], **bad))
        assert await refusal(rig.top.Consume(iter([opened])).read()) == invalid
