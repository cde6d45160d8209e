"""KER-9: calls pass through unchanged, of all four kinds, and stay bounded."""

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import echo_service
import grpc
import psutil
import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from grpc_status import rpc_status

from logos.module.v1 import module_host_pb2
from logos_base.errors import ErrorKind, LogosError
from logos_client.channels import open_channel, write
from logos_kernel.net.probe import described_from_pb
from logos_kernel.net.router import Router, Upstream
from logos_module.errors import reason_of
from logos_module.interceptor import Gate
from logos_module.server import Server
from logos_testnet.scenarios.broken_calls import WAYS, Breaking
from open_access import OpenAccess
from raw_calls import call_raw
from streaming import send

SERVICE = echo_service.define("test.routed")
MIB = 1024 * 1024


class QuotaError(LogosError):
    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "QUOTA"
    retry_after_ms = 250


@dataclass
class Callee(echo_service.Echo):
    """Does what the request says, and remembers what it saw."""

    metadata: list[tuple[str, Any]] = field(default_factory=list)
    time_remaining: float | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    half_closed: asyncio.Event = field(default_factory=asyncio.Event)
    half_closes: int = 0
    _epoch: str = "7"

    async def UnaryUnary(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._note(context)
        await self._act(request.value, context)
        await context.send_initial_metadata((("epoch", "7"), ("raw-bin", b"\0\xff")))
        context.set_trailing_metadata((("cost", "3"), ("sum-bin", b"\xfe")))
        return request

    async def UnaryStream(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self._note(context)
        await context.send_initial_metadata((("epoch", "7"),))
        context.set_trailing_metadata((("cost", "3"),))
        for part in request.value.split(b" "):
            await self._act(part, context)
            yield BytesValue(value=part)

    async def StreamUnary(self, requests: Any, context: Any) -> Any:  # noqa: N802
        self._note(context)
        size = 0
        async for request in requests:
            await self._act(request.value, context)
            size += len(request.value)
        self._end()
        return BytesValue(value=str(size).encode())

    async def StreamStream(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self._note(context)
        async for request in requests:
            if request.value == b"bye":
                return
            await self._act(request.value, context)
            yield request
        self._end()
        yield BytesValue(value=b"after the half-close")

    def _end(self) -> None:
        self.half_closes += 1
        self.half_closed.set()

    def _note(self, context: Any) -> None:
        self.metadata = list(context.invocation_metadata())
        self.time_remaining = context.time_remaining()
        self.begun.set()

    async def _act(self, word: bytes, context: Any) -> None:
        match word:
            case b"fail":
                raise QuotaError("nothing left")
            case b"unknown":
                raise ValueError("a secret")
            case b"cancelled":
                await context.abort(grpc.StatusCode.CANCELLED, "by the callee")
            case b"plain":
                await context.abort(
                    grpc.StatusCode.DATA_LOSS, "grüße\n", (("why", "because"), ("x-bin", b"\1"))
                )
            case b"hang":
                self.hanging.set()
                try:
                    await echo_service.forever()
                finally:
                    self.cancelled.set()


@dataclass
class Routed:
    """A caller, the router between, and the callee."""

    callee: Callee
    router: Router
    gate: Gate
    channel: grpc.aio.Channel
    target: str

    def call(self, method: str) -> Any:
        return echo_service.stub(self.channel, SERVICE, method)


def _unused(_module: str, _endpoint: str) -> grpc.aio.Channel:
    raise AssertionError("the routes are set by the test")


@asynccontextmanager
async def routed_to(callee: Callee, *, with_kinds: bool) -> AsyncIterator[Routed]:
    with tempfile.TemporaryDirectory(prefix="lk-") as folder:
        router = Router({}, _unused)
        upstream, front = Server(OpenAccess()), Server(OpenAccess(), fallback=router)
        upstream.serve(echo_service.adder(SERVICE), callee)
        await upstream.start([f"unix:{folder}/up.sock"])
        await front.start([f"unix:{folder}/front.sock"])
        described = described_from_pb(
            module_host_pb2.DescribeResponse(
                module="routed",
                instance_id=b"x" * 16,
                file_descriptor_set=echo_service.descriptors(SERVICE) if with_kinds else b"",
            )
        )
        to_callee = open_channel(f"unix:{folder}/up.sock")
        router.routes = {SERVICE: Upstream("", described, to_callee)}
        router.promised = {SERVICE: "routed", "test.later.Echo": "later"}
        to_front = open_channel(f"unix:{folder}/front.sock")
        try:
            yield Routed(callee, router, front.gate, to_front, f"unix:{folder}/front.sock")
        finally:
            await to_front.close()
            await front.stop(0)
            await to_callee.close()
            await upstream.stop(0)


@pytest.fixture(params=[True, False], ids=["kinds known", "kinds unknown"])
async def routed(request: pytest.FixtureRequest) -> AsyncIterator[Routed]:
    """Both ways of passing a call: by its kind, and as a stream in both directions."""
    async with asyncio.timeout(60), routed_to(Callee(), with_kinds=request.param) as made:
        yield made


def said(*words: bytes) -> Iterator[BytesValue]:
    return (BytesValue(value=word) for word in words)


async def test_unary_calls_pass_with_metadata_both_ways(routed: Routed) -> None:
    metadata = (("trace", "abc"), ("key-bin", b"\0\1\xff"), ("trace", "def"))
    call = routed.call("UnaryUnary")(BytesValue(value=b"hello"), metadata=metadata)

    assert (await call).value == b"hello"
    initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
    assert list(initial) == [("epoch", "7"), ("raw-bin", b"\0\xff")]
    assert list(trailing) == [("cost", "3"), ("sum-bin", b"\xfe")]
    seen = [pair for pair in routed.callee.metadata if pair[0] in {"trace", "key-bin"}]
    assert sorted(seen) == sorted(metadata)
    assert routed.callee.time_remaining is None


async def test_an_empty_message_is_a_message(routed: Routed) -> None:
    assert await routed.call("UnaryUnary")(BytesValue()) == BytesValue()


async def test_server_streams_pass(routed: Routed) -> None:
    call = routed.call("UnaryStream")(BytesValue(value=b"a b c"))

    assert [one.value async for one in call] == [b"a", b"b", b"c"]
    assert list(await call.initial_metadata()) == [("epoch", "7")]
    assert list(await call.trailing_metadata()) == [("cost", "3")]


async def test_client_streams_pass(routed: Routed) -> None:
    answer = await routed.call("StreamUnary")(said(b"12", b"345", b""))

    assert answer.value == b"5"


async def test_streams_in_both_directions_are_answered_as_they_come(routed: Routed) -> None:
    call = routed.call("StreamStream")()
    for word in (b"a", b"b", b"c"):
        await call.write(BytesValue(value=word))
        assert (await call.read()).value == word
    assert not routed.callee.half_closed.is_set()

    await call.done_writing()

    assert (await call.read()).value == b"after the half-close"
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_callee_may_end_before_the_caller_has(routed: Routed) -> None:
    call = routed.call("StreamStream")()
    await call.write(BytesValue(value=b"bye"))

    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("method", ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"])
async def test_a_rich_status_passes_unchanged(routed: Routed, method: str) -> None:
    error = await _failure(routed, method, b"fail")

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "nothing left"
    assert reason_of(error) == "QUOTA"
    status = rpc_status.from_call(error)
    assert [one.TypeName() for one in status.details] == [
        "google.rpc.ErrorInfo",
        "google.rpc.RetryInfo",
    ]


@pytest.mark.parametrize("method", ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"])
async def test_what_does_not_decode_is_told_as_by_the_module(routed: Routed, method: str) -> None:
    call = await send(routed.channel.stream_stream(f"/{SERVICE}/{method}")(), [b"\xff"])

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call.read()

    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason_of(failed.value) == "MALFORMED_REQUEST"


@pytest.mark.parametrize("method", ["UnaryUnary", "UnaryStream"])
async def test_a_call_without_its_request_is_answered(routed: Routed, method: str) -> None:
    call = await send(routed.channel.stream_stream(f"/{SERVICE}/{method}")(), [])

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call.read()

    assert reason_of(failed.value) == "MALFORMED_REQUEST"


@pytest.mark.parametrize("value", [b"\xff\xc3", "grüße".encode(), b"a\0b"])
async def test_metadata_that_cannot_be_sent_on_is_refused(routed: Routed, value: bytes) -> None:
    path = f"/{SERVICE}/UnaryUnary".encode()

    status = await asyncio.to_thread(call_raw, routed.target, path, b"", [(b"odd", value)])

    assert status == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert await routed.gate.wait_idle(60) == 0


@pytest.mark.parametrize("method", ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"])
async def test_a_plain_status_passes_with_its_trailing_metadata(
    routed: Routed, method: str
) -> None:
    error = await _failure(routed, method, b"plain")

    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "grüße\n")
    assert sorted(error.trailing_metadata()) == [("why", "because"), ("x-bin", b"\1")]


@pytest.mark.parametrize("method", ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"])
async def test_a_callees_own_cancelled_is_a_status_like_any_other(
    routed: Routed, method: str
) -> None:
    call = _begin(routed, method, b"cancelled")

    assert await call.code() is grpc.StatusCode.CANCELLED
    assert await call.details() == "by the callee"


def _begin(routed: Routed, method: str, word: bytes, **options: Any) -> Any:
    is_stream = method.startswith("Stream")
    request = said(word) if is_stream else BytesValue(value=word)
    return routed.call(method)(request, **options)


async def _failure(routed: Routed, method: str, word: bytes, **options: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await _finish(_begin(routed, method, word, **options))
    return failed.value


async def _finish(call: Any) -> None:
    """Waits for the end of a call of any kind; raises if it failed."""
    if hasattr(call, "__await__"):
        await call
    else:
        _ = [one async for one in call]


@pytest.mark.parametrize("method", ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"])
async def test_a_deadline_reaches_the_callee_and_ends_it(routed: Routed, method: str) -> None:
    for timeout_s in (0.5, 5, 50):  # until the call gets there before its deadline
        error = await _failure(routed, method, b"hang", timeout=timeout_s)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        if routed.callee.time_remaining is not None:
            break

    assert routed.callee.time_remaining is not None
    # Each of the two hops rounds up to milliseconds, and again where it reads the clock.
    assert 0 < routed.callee.time_remaining <= timeout_s + 2 * 0.002
    await asyncio.wait_for(routed.callee.cancelled.wait(), 60)


@pytest.mark.parametrize("method", ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"])
async def test_a_cancelled_call_is_cancelled_at_the_callee(routed: Routed, method: str) -> None:
    call = _begin(routed, method, b"hang")
    await routed.callee.hanging.wait()
    assert routed.gate.in_flight == 1

    call.cancel()

    await asyncio.wait_for(routed.callee.cancelled.wait(), 60)
    assert await routed.gate.wait_idle(5) == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["StreamUnary", "StreamStream"])
async def test_no_half_close_is_passed_on_that_the_caller_has_not_said(
    routed: Routed, method: str, way: str
) -> None:
    breaking = Breaking(
        lambda: open_channel(routed.target),
        lambda channel, timeout: echo_service.stub(channel, SERVICE, method)(timeout=timeout),
        [BytesValue(value=b"a"), BytesValue(value=b"b")],
        way,
    )
    await breaking.run(300)

    while routed.gate.in_flight:  # noqa: ASYNC110 - gRPC has no event for it
        await asyncio.sleep(0.01)
    assert routed.callee.begun.is_set()
    assert routed.callee.half_closes == 0


async def test_unexpected_errors_stay_in_the_callee(routed: Routed) -> None:
    error = await _failure(routed, "UnaryUnary", b"unknown")

    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()


async def test_a_service_that_is_not_ready_is_told_from_one_that_nobody_serves(
    routed: Routed,
) -> None:
    for service, code, reason in (
        ("test.later.Echo", grpc.StatusCode.UNAVAILABLE, "MODULE_NOT_READY"),
        ("test.never.Echo", grpc.StatusCode.UNIMPLEMENTED, "SERVICE_UNKNOWN"),
        ("logos.module.v1.ModuleHost", grpc.StatusCode.UNIMPLEMENTED, "SERVICE_UNKNOWN"),
    ):
        for method in ("UnaryUnary", "StreamStream"):
            call = echo_service.stub(routed.channel, service, method)
            request = BytesValue() if method == "UnaryUnary" else said()
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await _finish(call(request))
            assert (failed.value.code(), reason_of(failed.value)) == (code, reason)


async def test_a_method_that_the_module_does_not_have_is_its_own_affair(routed: Routed) -> None:
    call = routed.channel.unary_unary(f"/{SERVICE}/Nothing")

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call(b"")

    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert reason_of(failed.value) == ""


async def test_a_module_that_cannot_be_reached_is_not_ready(routed: Routed) -> None:
    gone = open_channel("unix:/nonexistent/up.sock")
    described = routed.router.routes[SERVICE].described
    routed.router.routes = {SERVICE: Upstream("", described, gone)}

    error = await _failure(routed, "UnaryUnary", b"hello")
    await gone.close()

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert reason_of(error) == "MODULE_NOT_READY"


@pytest.mark.parametrize("method", ["StreamUnary", "StreamStream"])
async def test_a_callee_that_fails_under_a_flood_is_heard(routed: Routed, method: str) -> None:
    block = BytesValue(value=bytes(65536))

    for _ in range(20):
        call = routed.call(method)()
        await write(call, BytesValue(value=b"plain"))
        while await write(call, block):
            pass

        assert (await call.code(), await call.details()) == (
            grpc.StatusCode.DATA_LOSS,
            "grüße\n",
        )


@pytest.mark.parametrize("method", ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"])
async def test_a_call_whose_module_is_lost_says_so(routed: Routed, method: str) -> None:
    call = _begin(routed, method, b"hang")
    await routed.callee.hanging.wait()

    await routed.router.routes[SERVICE].channel.close()

    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await _finish(call)
    assert reason_of(failed.value) == "MODULE_NOT_READY"
    assert await routed.gate.wait_idle(5) == 0


async def test_nothing_is_let_in_while_the_kernel_drains(routed: Routed) -> None:
    routed.gate.drain()

    error = await _failure(routed, "UnaryUnary", b"hello")

    assert reason_of(error) == "MODULE_DRAINING"


async def test_a_slow_callee_slows_the_caller_down(routed: Routed) -> None:
    call = routed.call("StreamUnary")()
    await call.write(BytesValue(value=b"hang"))
    written = 0

    try:
        async with asyncio.timeout(1):
            while True:
                await call.write(BytesValue(value=bytes(MIB)))
                written += 1
    except TimeoutError:
        pass

    call.cancel()
    assert written < 64


async def test_a_slow_caller_slows_the_callee_down(routed: Routed) -> None:
    class Flood(Callee):
        sent = 0

        async def UnaryStream(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
            while True:
                yield BytesValue(value=bytes(MIB))
                self.sent += 1

    flood = Flood()
    async with routed_to(flood, with_kinds=True) as made:
        call = made.call("UnaryStream")(BytesValue())
        await call.read()
        await asyncio.sleep(1)
        sent = flood.sent
        call.cancel()

    assert sent < 64


async def test_much_is_streamed_both_ways_in_little_memory(routed: Routed) -> None:
    block, total = bytes(range(256)) * 1024, 64 * MIB
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, process.memory_info().rss)

    async def write() -> None:
        for _ in range(total // len(block)):
            await call.write(BytesValue(value=block))
        await call.done_writing()

    process = psutil.Process()
    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    call = routed.call("StreamStream")()
    received = 0
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(write())
            while (answer := await call.read()) is not grpc.aio.EOF:
                if answer.value == b"after the half-close":
                    break
                assert answer.value == block
                received += len(answer.value)
    finally:
        done.set()
        watcher.join()

    assert received == total
    # caller, router and callee share this process
    assert peak - before < 48 * MIB
