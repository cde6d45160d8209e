"""`context.events`: events for modules, with the kernel itself (KER-34 to KER-38)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import grpc
import pytest
from observing_kernel import FakeModule, Kernel, declares, refusal

from logos.kernel.v1 import events_pb2 as pb
from logos.kernel.v1 import events_pb2_grpc
from logos_kernel.core.queue_group import MAX_REFUSALS
from logos_module.events import Event, Events, Source


class Rig:
    """`base` publishes, `top` reads."""

    def __init__(self, kernel: Kernel, base: FakeModule, top: FakeModule) -> None:
        self.kernel = kernel
        self.base = Events(base.to_kernel, "base")
        self.top = Events(top.to_kernel, "top")
        self.letters: Any = events_pb2_grpc.EventsStub(top.to_kernel)


@pytest.fixture
async def rig(kernel: Kernel, start: Any) -> Rig:
    base, top = await start("base"), await start("top")
    for module in (base, top):
        await kernel.register(module)
    declares(kernel, "top", "base/*")
    return Rig(kernel, base, top)


@asynccontextmanager
async def reading(stream: Any) -> AsyncIterator[Any]:
    async with asyncio.timeout(60), aclosing(stream):
        yield stream


async def events_of(stream: Any, count: int) -> list[Event]:
    found = []
    while len(found) < count:
        one = await anext(stream)
        if isinstance(one, Event):
            found.append(one)
    return found


async def test_publishes_and_receives(rig: Rig) -> None:
    where = await rig.base.publish("x", b"1", b"2", headers={"kind": "test"})

    async with reading(rig.top.subscribe("base/x", after=0)) as stream:
        found = await events_of(stream, 2)

    assert (where.first_sequence, where.last_sequence) == (1, 2)
    assert [(one.payload, one.headers) for one in found] == [
        (b"1", {"kind": "test"}),
        (b"2", {"kind": "test"}),
    ]
    assert found[-1].position == where.position


async def test_tells_how_sources_are(rig: Rig) -> None:
    async with reading(rig.top.subscribe("base/x")) as stream:
        assert await anext(stream) == Source("base", is_ready=False, epoch=1)


async def test_a_refusal_is_raised(rig: Rig) -> None:
    denied = ("PERMISSION_DENIED", "SUBSCRIPTION_DENIED")

    async def read() -> None:
        async for _ in rig.base.subscribe("top/x"):
            pass

    assert await refusal(read()) == denied
    invalid = ("INVALID_ARGUMENT", "INVALID_EVENT")
    assert await refusal(rig.base.publish("no name", b"x")) == invalid
    assert await refusal(rig.base.consume("g", "top/x", handle=cast("Any", None))) == denied


class FailingOnce:
    """A stub whose calls reach the kernel, and whose first answer is lost."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub
        self.calls = 0

    async def Publish(self, request: pb.PublishRequest) -> Any:  # noqa: N802
        self.calls += 1
        response = await self._stub.Publish(request)
        if self.calls > 1:
            return response
        no_metadata = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, no_metadata, no_metadata)


async def test_what_was_published_is_not_published_again(rig: Rig) -> None:
    failing = FailingOnce(rig.base._stub)
    rig.base._stub = failing

    where = await rig.base.publish("x", b"1")

    assert (failing.calls, where.last_sequence) == (2, 1)


async def test_a_group_handles_each_event_until_it_is_a_dead_letter(rig: Rig) -> None:
    await rig.base.publish("x", b"bad", b"good")
    handled: list[bytes] = []
    is_buried = asyncio.Event()

    async def handle(event: Event) -> None:
        handled.append(event.payload)
        if handled.count(b"bad") == MAX_REFUSALS:
            is_buried.set()
        if event.payload == b"bad":
            raise ValueError("bad")

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        consuming = tasks.create_task(
            rig.top.consume("g", "base/x", handle=handle, from_start=True, retry_s=0)
        )
        await is_buried.wait()
        while not (letters := await _letters(rig)):  # noqa: ASYNC110 -- a remote state
            await asyncio.sleep(0.01)
        consuming.cancel()

    assert (handled.count(b"bad"), handled.count(b"good")) == (MAX_REFUSALS, 1)
    assert letters == [b"bad"]


async def _letters(rig: Rig) -> list[bytes]:
    listed = rig.letters.ListDeadLetters(pb.ListDeadLettersRequest())
    return [one.dead_letter.event.payload async for one in listed]
