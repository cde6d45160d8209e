"""KER-28 to KER-33: `logos.kernel.v1.Router`, with modules that live in the test."""

import asyncio
import gc
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import echo_service
import grpc
import psutil
import pytest
from gates import BEARER, borne
from observing_kernel import FakeModule, Kernel, refusal

from conformance_cases import cases, said
from conformance_interface import extended_api, full_api
from logos.kernel.v1 import (
    capability_pb2,
    capability_pb2_grpc,
    router_pb2,
    router_pb2_grpc,
)
from logos.module.v1.value_pb2 import Value
from logos_base.errors import ErrorKind, LogosError
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import open_channel
from logos_kernel.core.turns import MAX_UNDER_WAY, MAX_WAITING_OF_ONE
from logos_module.errors import reason_of
from logos_module.hops import Carrying
from logos_module.invocation import Interface, Repetition, from_value, serve, to_value
from logos_module.invocation.types import ValueType
from logos_module.reflection import describe

ECHO = "test.base.Echo"
MIB = 1024 * 1024
CLIENTS: Final = Path(__file__).parents[3] / "tests" / "clients"


class AwayError(LogosError):
    kind = ErrorKind.UNAVAILABLE
    reason = "AWAY"


@dataclass
class Doings:
    """What methods of the module `base` do, and saw."""

    interface: Interface = field(default_factory=full_api)
    arrived: int = 0
    all_here: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    hanging: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    is_away: bool = True
    fails_first: int = 1000

    def __post_init__(self) -> None:
        method = self.interface.method

        @method()
        async def meet(parties: int) -> int:
            self.arrived += 1
            if self.arrived == parties:
                self.all_here.set()
            await self.all_here.wait()
            return self.arrived

        @method()
        async def hang() -> None:
            self.hanging += 1
            try:
                await echo_service.forever()
            finally:
                self.hanging -= 1
                self.cancelled.set()

        @method(repetition=Repetition.NO_SIDE_EFFECTS)
        async def look() -> str:
            return self._try("look")

        @method(repetition=Repetition.IDEMPOTENT)
        async def put() -> str:
            return self._try("put")

        @method()
        async def pay() -> str:
            return self._try("pay")

        @method(repetition=Repetition.NO_SIDE_EFFECTS)
        async def kindless() -> Any:
            return 1

        self.interface.methods["kindless"] = replace(
            self.interface.methods["kindless"],
            returns=ValueType("any", lambda *_: None, lambda _: Value()),
        )

        @method()
        async def count(to: int) -> AsyncIterator[int]:
            for number in range(to):
                yield number

    def _try(self, name: str) -> str:
        self.attempts[name] = self.attempts.get(name, 0) + 1
        if self.is_away and self.attempts[name] <= self.fails_first:
            raise AwayError("not now")
        return name


@dataclass
class Rig:
    """A kernel with two modules that are READY, and an admin's stub."""

    kernel: Kernel
    base: FakeModule
    top: FakeModule
    doings: Doings

    def __post_init__(self) -> None:
        self.router: Any = router_pb2_grpc.RouterStub(self.kernel.channel)
        self.from_top: Any = router_pb2_grpc.RouterStub(self.top.to_kernel)
        self.admin: Any = capability_pb2_grpc.CapabilityStub(self.kernel.channel)

    def call(self, method: str, *args: object, target: str = "base", **more: Any) -> Any:
        return self.asked(self.router, method, *args, target=target, **more)

    def asked(
        self, stub: Any, method: str, *args: object, target: str = "base", **more: Any
    ) -> Any:
        values = [to_value(arg) for arg in args]
        request = router_pb2.CallRequest(target=target, method=method, args=values)
        return stub.Call(request, **({"timeout": 60} | more))

    async def grant(self, *methods: str, target: str = "base", refuse: bool = False) -> None:
        grant = capability_pb2.Grant(caller="top", target=target, methods=methods, refuse=refuse)
        await self.admin.SetGrant(capability_pb2.SetGrantRequest(grant=grant))

    async def operator(self, role: str) -> Any:
        value = capability_pb2.Role.Value(f"ROLE_{role}")
        request = capability_pb2.IssueOperatorTokenRequest(name=role.lower(), role=value)
        bearer = (await self.admin.IssueOperatorToken(request)).bearer
        return router_pb2_grpc.RouterStub(borne(open_channel(self.kernel.front), bearer))


@pytest.fixture
async def rig(kernel: Kernel, start: Any) -> Rig:
    base, top = await start("base"), await start("top")
    doings = Doings()
    serve(doings.interface, base.server)
    await kernel.make_ready(base)
    await kernel.make_ready(top)
    return Rig(kernel, base, top, doings)


@pytest.mark.vectors
@pytest.mark.parametrize("way", ["of an operator", "of a module"])
async def test_published_cases_hold_routed(rig: Rig, way: str) -> None:
    """kernel.md 14.17."""
    serve(extended_api(), rig.top.server)
    await rig.grant("base.Invocation/*")
    await rig.grant("*", target="top")
    stub = rig.router if way == "of an operator" else rig.from_top
    for target, table in (("base", "cases"), ("top", "ext-cases")):
        for case in cases(table):
            request = router_pb2.CallRequest(target=target, method=case.method, args=case.values())
            try:
                got = said((await stub.Call(request, timeout=60)).value)
            except grpc.aio.AioRpcError as error:
                got = reason_of(error)

            assert (case.id, got) == (case.id, case.expected)


async def test_failures_are_told_apart_and_null_is_a_success(rig: Rig) -> None:
    """kernel.md 14.18."""
    assert from_value((await rig.call("doVoid")).value) is None
    assert await refusal(rig.call("doVoid", target="gone")) == ("NOT_FOUND", "MODULE_NOT_FOUND")
    assert await refusal(rig.call("missing")) == ("UNIMPLEMENTED", "METHOD_NOT_FOUND")
    assert await refusal(rig.call("any", target="top")) == ("UNIMPLEMENTED", "METHOD_NOT_FOUND")
    for args in ([], ["a", "b"], [1]):
        invalid = ("INVALID_ARGUMENT", "INVALID_ARGS")
        assert await refusal(rig.call("echoString", *args)) == invalid
    assert (await refusal(rig.call("hang", timeout=0.5)))[0] == "DEADLINE_EXCEEDED"
    assert await refusal(rig.call("pay")) == ("UNAVAILABLE", "AWAY")
    for unknown in (f"{ECHO}/Nothing", "test.top.Echo/UnaryUnary", "a/b", "/"):
        assert await refusal(rig.call(unknown)) == ("UNIMPLEMENTED", "METHOD_NOT_FOUND")


async def test_typed_methods_are_called_with_maps_and_with_bytes(rig: Rig) -> None:
    answer = await rig.call(f"{ECHO}/UnaryUnary", {"value": b"\0\xff"})
    assert from_value(answer.value) == {"value": b"\0\xff"}
    assert (answer.served_by.instance_id, answer.served_by.epoch) == (rig.base.instance_id, 1)
    assert from_value((await rig.call(f"{ECHO}/UnaryUnary")).value) == {"value": b""}

    message = echo_service.Bytes(value=b"x").SerializeToString()
    request = router_pb2.CallRequest(target="base", method=f"{ECHO}/UnaryUnary", payload=message)
    assert (await rig.router.Call(request)).payload == message

    for wrong in ([{"value": "text"}], [{"no": 1}], ["x"], [{}, {}]):
        invalid = ("INVALID_ARGUMENT", "INVALID_ARGS")
        assert await refusal(rig.call(f"{ECHO}/UnaryUnary", *wrong)) == invalid
    stream = await refusal(rig.call(f"{ECHO}/UnaryStream"))
    assert stream == ("INVALID_ARGUMENT", "INVALID_ARGS")


async def test_a_module_that_answers_with_no_value_is_told_so(rig: Rig) -> None:
    assert await refusal(rig.call("kindless")) == ("DATA_LOSS", "MALFORMED_RESPONSE")


async def test_calls_to_a_module_run_side_by_side(rig: Rig) -> None:
    """kernel.md 14.19."""
    hanging = rig.call("hang")

    met = await asyncio.gather(*(rig.call("meet", 5) for _ in range(5)))
    other = await rig.call("test.top.Echo/UnaryUnary", target="top")

    assert [from_value(one.value) for one in met] == [5] * 5
    assert from_value(other.value) == {"value": b""}
    hanging.cancel()


async def test_a_deadline_ends_the_call_at_the_callee_too(rig: Rig) -> None:
    """kernel.md 14.20."""
    code, _ = await refusal(rig.call("hang", timeout=0.1))

    assert code == "DEADLINE_EXCEEDED"
    await rig.doings.cancelled.wait()
    assert rig.doings.hanging == 0


async def test_a_cancellation_ends_the_call_at_the_callee_too(rig: Rig) -> None:
    """kernel.md 14.20."""
    call = rig.call("hang")
    while not rig.doings.hanging:  # noqa: ASYNC110 -- the callee is not told
        await asyncio.sleep(0.01)
    call.cancel()

    await rig.doings.cancelled.wait()


async def test_content_streams_both_ways(rig: Rig) -> None:
    """kernel.md 14.21."""
    piece, pieces = bytes(MIB), 64
    call = rig.router.CallStream()
    opening = router_pb2.CallRequest(target="base", method=f"{ECHO}/StreamStream")
    await call.write(router_pb2.CallStreamRequest(open=opening))
    message = echo_service.Bytes(value=piece).SerializeToString()

    async def send() -> None:
        for _ in range(pieces):
            await call.write(router_pb2.CallStreamRequest(payload=message))
        await call.done_writing()

    size = 0
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send())
        async for response in call:
            size += len(response.payload)

    assert size == pieces * len(message)


async def test_streams_of_every_kind_are_values_too(rig: Rig) -> None:
    """kernel.md 14.21."""

    async def streamed(method: str, first: list[object], *others: object) -> list[object]:
        call = rig.router.CallStream()
        args = [to_value(one) for one in first]
        opening = router_pb2.CallRequest(target="base", method=method, args=args)
        await call.write(router_pb2.CallStreamRequest(open=opening))
        for other in others:
            await call.write(router_pb2.CallStreamRequest(value=to_value(other)))
        await call.done_writing()
        return [from_value(one.value) async for one in call]

    word = {"value": b"ab"}
    assert await streamed(f"{ECHO}/UnaryStream", [word]) == [{"value": b"a"}, {"value": b"b"}]
    assert await streamed(f"{ECHO}/StreamUnary", [word], word) == [{"value": b"4"}]
    assert await streamed(f"{ECHO}/StreamStream", [], word, word) == [word, word]
    assert await streamed(f"{ECHO}/UnaryUnary", [word]) == [word]
    assert await streamed("count", [3]) == [0, 1, 2]
    assert await streamed("echoInt", [3]) == [3]


@pytest.mark.parametrize(
    "part",
    [
        router_pb2.CallStreamRequest(),
        router_pb2.CallStreamRequest(value=to_value(1)),
        router_pb2.CallStreamRequest(open=router_pb2.CallRequest(target="base", method="echoInt")),
    ],
)
async def test_streams_that_are_not_opened_are_refused(
    rig: Rig, part: router_pb2.CallStreamRequest
) -> None:
    call = rig.router.CallStream()
    await call.write(part)
    await call.done_writing()

    assert await refusal(call.read()) == ("INVALID_ARGUMENT", "INVALID_ARGS")


async def test_what_is_too_large_for_one_message_is_refused(rig: Rig) -> None:
    """kernel.md 14.21."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await rig.call("echoBytes", bytes(17 * MIB))

    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert from_value((await rig.call("echoInt", 1)).value) == 1


async def test_modules_that_call_one_another_in_a_circle_come_to_an_end(rig: Rig) -> None:
    """kernel.md 14.21."""
    passed = 0

    def circle(to: str, name: str, module: FakeModule) -> Interface:
        channel = AuthorizedChannel(rig.kernel.inner_channel, Carrying(module.identity.for_kernel))
        stub: Any = router_pb2_grpc.RouterStub(channel)
        interface = Interface() if module is rig.top else rig.doings.interface

        @interface.method(name=name)
        async def go_on() -> None:
            nonlocal passed
            passed += 1
            request = router_pb2.CallRequest(target=to, method="back" if to == "top" else "forth")
            try:
                await stub.Call(request, timeout=60)
            except grpc.aio.AioRpcError as error:
                raise _PassedError(reason_of(error)) from error

        return interface

    class _PassedError(LogosError):
        kind = ErrorKind.ABORTED

        def __init__(self, reason: str) -> None:
            super().__init__(reason)
            self.reason = reason  # type: ignore[misc]  # of the error below

    circle("top", "forth", rig.base)
    serve(circle("base", "back", rig.top), rig.top.server)
    declared = {"base": ("top.Invocation/back",), "top": ("base.Invocation/forth",)}
    for caller, methods in declared.items():
        target = "top" if caller == "base" else "base"
        grant = capability_pb2.Grant(caller=caller, target=target, methods=methods)
        await rig.admin.SetGrant(capability_pb2.SetGrantRequest(grant=grant))

    assert await refusal(rig.call("forth")) == ("ABORTED", "HOP_LIMIT")
    assert passed == 8


async def test_only_what_may_be_repeated_is_tried_again(rig: Rig) -> None:
    """kernel.md 14.22."""
    for name, attempts in (("pay", 1), ("look", 4)):
        assert await refusal(rig.call(name)) == ("UNAVAILABLE", "AWAY")
        assert rig.doings.attempts[name] == attempts

    assert await refusal(rig.call("put")) == ("UNAVAILABLE", "CIRCUIT_OPEN")


async def test_a_retry_that_succeeds_is_the_answer(rig: Rig) -> None:
    """kernel.md 14.22."""
    rig.doings.fails_first = 3

    assert from_value((await rig.call("put")).value) == "put"
    assert rig.doings.attempts["put"] == 4


async def test_a_circuit_that_is_open_spares_the_module(rig: Rig) -> None:
    """kernel.md 14.22."""
    for _ in range(5):
        assert await refusal(rig.call("pay")) == ("UNAVAILABLE", "AWAY")

    assert await refusal(rig.call("pay")) == ("UNAVAILABLE", "CIRCUIT_OPEN")
    assert rig.doings.attempts["pay"] == 5
    answered = await rig.call("test.top.Echo/UnaryUnary", target="top")
    assert from_value(answered.value) == {"value": b""}


async def test_a_queue_is_bounded_and_empties(rig: Rig) -> None:
    calls = [rig.call("hang") for _ in range(MAX_UNDER_WAY + MAX_WAITING_OF_ONE)]
    while rig.doings.hanging < MAX_UNDER_WAY:  # noqa: ASYNC110 -- the callee is not told
        await asyncio.sleep(0.01)
    async with asyncio.timeout(30):
        while rig.kernel.node.routing.waiting("base") < MAX_WAITING_OF_ONE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert await refusal(rig.call("echoInt", 1)) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert from_value((await rig.call("echoInt", 1)).value) == 1


async def test_a_call_needs_the_permission_of_the_method_that_it_names(rig: Rig) -> None:
    denied = ("PERMISSION_DENIED", "POLICY_DENIED")
    assert await refusal(rig.asked(rig.from_top, "echoInt", 1)) == denied
    declared = await rig.asked(rig.from_top, f"{ECHO}/UnaryUnary")
    assert from_value(declared.value) == {"value": b""}

    await rig.grant("base.Invocation/echoInt")
    await rig.grant(f"{ECHO}/UnaryUnary", refuse=True)

    assert from_value((await rig.asked(rig.from_top, "echoInt", 1)).value) == 1
    assert await refusal(rig.asked(rig.from_top, "doVoid")) == denied
    assert await refusal(rig.asked(rig.from_top, f"{ECHO}/UnaryUnary")) == denied
    caller, _ = rig.base.echo.last
    assert caller.name == "top"

    viewer = await rig.operator("VIEWER")
    assert from_value((await rig.asked(viewer, "echoInt", 1)).value) == 1
    too_low = ("PERMISSION_DENIED", "ROLE_DENIED")
    assert await refusal(rig.asked(viewer, "doVoid")) == too_low
    assert await refusal(rig.asked(viewer, f"{ECHO}/UnaryUnary")) == too_low
    stream = viewer.CallStream()
    opening = router_pb2.CallRequest(target="base", method=f"{ECHO}/UnaryStream")
    await stream.write(router_pb2.CallStreamRequest(open=opening))
    assert await refusal(stream.read()) == too_low


@pytest.mark.parametrize(
    "method",
    [
        "logos.module.v1.ModuleHost/PrepareStop",
        "logos.module.v1.Invocation/Invoke",
        "logos.kernel.v1.Capability/ListGrants",
    ],
)
async def test_what_is_not_routed_is_not_reached_by_name(rig: Rig, method: str) -> None:
    assert await refusal(rig.call(method)) == ("UNIMPLEMENTED", "METHOD_NOT_FOUND")


async def test_traces_and_metadata_are_passed_on_but_not_ours(rig: Rig) -> None:
    trace = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    forged = ("logos-hops", "9")

    await rig.call(f"{ECHO}/UnaryUnary", metadata=(trace, ("mine", "1")))
    _, metadata = rig.base.echo.last
    assert {trace, ("mine", "1"), ("logos-hops", "1")} <= set(metadata)

    await rig.call(f"{ECHO}/UnaryUnary", metadata=(forged,))
    _, metadata = rig.base.echo.last
    assert ("logos-hops", "10") in metadata


async def test_started_calls_outlive_their_callers_and_are_their_own(rig: Rig) -> None:
    operator = await rig.operator("OPERATOR")

    async def started(method: str, *args: object, stub: Any = operator) -> bytes:
        call = router_pb2.CallRequest(
            target="base", method=method, args=[to_value(arg) for arg in args]
        )
        answer = await stub.StartCall(router_pb2.StartCallRequest(call=call), timeout=60)
        return bytes(answer.call_id)

    async def ended(call_id: bytes) -> Any:
        while True:
            got = await operator.GetCall(router_pb2.GetCallRequest(call_id=call_id))
            if got.state != router_pb2.GetCallResponse.STATE_RUNNING:
                return got
            await asyncio.sleep(0.01)

    good, bad, long = await started("echoInt", 7), await started("pay"), await started("hang")
    done = await ended(good)
    assert from_value(done.response.value) == 7
    assert done.ended_at.ToMilliseconds() >= done.started_at.ToMilliseconds() > 0
    failed = await ended(bad)
    assert (failed.failure.code, failed.failure.reason) == (14, "AWAY")

    viewer = await rig.operator("VIEWER")
    unknown = ("NOT_FOUND", "CALL_NOT_FOUND")
    assert await refusal(viewer.GetCall(router_pb2.GetCallRequest(call_id=long))) == unknown
    assert await refusal(viewer.CancelCall(router_pb2.CancelCallRequest(call_id=long))) == unknown
    await rig.router.CancelCall(router_pb2.CancelCallRequest(call_id=long))
    assert (await ended(long)).state == router_pb2.GetCallResponse.STATE_CANCELLED
    await rig.doings.cancelled.wait()
    await operator.CancelCall(router_pb2.CancelCallRequest(call_id=long))


async def test_a_module_is_described(rig: Rig) -> None:
    viewer = await rig.operator("VIEWER")

    told = await viewer.Describe(router_pb2.DescribeRequest(target="base"))
    other = await viewer.Describe(router_pb2.DescribeRequest(target="top"))

    assert (told.module, told.version, list(told.services)) == ("base", "0.1.0", [ECHO])
    assert {"echoInt", "count"} <= {one.name for one in told.interface.methods}
    assert told.served_by.instance_id == rig.base.instance_id
    assert not other.HasField("interface")
    assert b"test.top" in other.file_descriptor_set


@pytest.mark.vectors
@pytest.mark.timeout(600)
async def test_published_cases_hold_for_a_client_in_go(rig: Rig, tmp_path: Path) -> None:
    """kernel.md 14.17."""
    if shutil.which("go") is None and not os.environ.get("CI"):
        pytest.skip("there is no Go here")
    serve(extended_api(), rig.top.server)
    program, contract = tmp_path / "values", tmp_path / "contract"
    contract.write_bytes(describe(["logos.kernel.v1.Router"]).SerializeToString())
    await run_program(["go", "build", "-o", str(program), "."], cwd=CLIENTS / "go")
    every = [
        (target, case)
        for target, table in (("base", "cases"), ("top", "ext-cases"))
        for case in cases(table)
    ]
    asked = [
        json.dumps({"target": target, "method": case.method, "args": case.args})
        for target, case in every
    ]

    words = [str(program), rig.kernel.front, str(contract)]
    answers = (await run_program(words, given="\n".join(asked))).splitlines()

    got = []
    for line in answers:
        answer = json.loads(line)
        got.append(answer.get("refused") or json.dumps(answer["value"], sort_keys=True))
    assert got == [case.expected for _, case in every]


async def run_program(words: list[str], *, cwd: Path | None = None, given: str = "") -> str:
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=cwd,
        env=os.environ | {"LOGOS_TOKEN": BEARER},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said_by, errors = await process.communicate(given.encode())
    assert process.returncode == 0, errors.decode()
    return said_by.decode()


@pytest.mark.stress
@pytest.mark.timeout(900)
async def test_calls_that_run_out_of_time_leave_nothing_behind(rig: Rig) -> None:
    """kernel.md 14.20: 24,000 of them.

    gRPC (1.85) itself keeps some 550 bytes of a proxied call that ends so.
    """

    async def many(times: int) -> None:
        for _ in range(times):
            calls = [rig.call("hang", timeout=0.05) for _ in range(60)]
            ended = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(one, grpc.aio.AioRpcError) for one in ended)

    async def quiet() -> None:
        while rig.doings.hanging or rig.kernel.node.routing.waiting("base"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        gc.collect()

    await many(40)
    await quiet()
    before, objects = psutil.Process().memory_info().rss, len(gc.get_objects())
    await many(400)
    await quiet()

    assert psutil.Process().memory_info().rss - before < 24_000 * 2048, "bytes"
    async with asyncio.timeout(60):  # the ends of the last calls are still on their way
        while len(gc.get_objects()) > objects + 2_400:
            await asyncio.sleep(0.1)
            gc.collect()
