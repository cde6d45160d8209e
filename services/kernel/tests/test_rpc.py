"""`logos.kernel.v1` over gRPC, with modules that live in the test."""

import asyncio
from dataclasses import replace
from typing import Any

import echo_service
import grpc
import pytest
from observing_kernel import READY, REGISTERED, TTL_MS, Kernel, answer_to, refusal, running

from logos.kernel.v1 import (
    kernel_pb2,
    module_pb2,
    registry_pb2,
    registry_pb2_grpc,
    supervisor_pb2,
    supervisor_pb2_grpc,
)
from logos_kernel.core.journal import Reason
from logos_kernel.core.types import Described, Exit, ModuleState


async def test_the_kernel_says_who_it_is(kernel: Kernel) -> None:
    info = await kernel.kernel.GetInfo(kernel_pb2.GetInfoRequest())

    assert (info.node, info.testnet, info.version, info.epoch) == ("node1", "small", "0.1.0", 4)
    assert info.started_at.ToMilliseconds() == 1_700_000_000_123


async def test_a_module_registers_beats_and_is_found(kernel: Kernel, start: Any) -> None:
    base, top = await start("base"), await start("top")
    await kernel.register(top)
    assert await refusal(top.registry.Resolve(registry_pb2.ResolveRequest(module="base"))) == (
        "UNAVAILABLE",
        "MODULE_NOT_READY",
    )

    grant = await kernel.register(base)
    assert (len(grant.lease_id), grant.epoch, grant.ttl.ToMilliseconds()) == (16, 1, TTL_MS)
    assert (grant.settings_json, grant.node, grant.testnet) == (
        '{"name": "base"}',
        "node1",
        "small",
    )
    session = base.registry.Session()
    for text, state in (("1 of 2", REGISTERED), ("all there", READY)):
        await session.write(
            registry_pb2.SessionRequest(lease_id=grant.lease_id, state=state, status_text=text)
        )
        assert (await answer_to(session)).ttl.ToMilliseconds() == TTL_MS
        await kernel.until("base", state)
        assert (await kernel.module("base")).status_text == text

    found = await top.registry.Resolve(registry_pb2.ResolveRequest(module="base"))
    assert (found.endpoint, found.epoch) == (base.endpoint, 1)
    status = await kernel.kernel.GetStatus(kernel_pb2.GetStatusRequest())
    assert not status.ready, "top is awaited"
    session.cancel()
    lease = kernel.modules.find("base").lease
    assert lease is not None
    while not lease.is_doubted:  # noqa: ASYNC110 -- a client is not told
        await asyncio.sleep(0.01)
    assert (await kernel.module("base")).state == READY, "the lease outlives its stream"


async def test_a_lease_that_was_given_up_is_gone(kernel: Kernel, start: Any) -> None:
    base = await start("base")
    grant = await kernel.register(base)
    request = registry_pb2.DeregisterRequest(lease_id=grant.lease_id)

    await base.registry.Deregister(request)
    await base.registry.Deregister(request)

    session = base.registry.Session()
    await session.write(registry_pb2.SessionRequest(lease_id=grant.lease_id, state=READY))
    assert await refusal(answer_to(session)) == ("NOT_FOUND", "LEASE_UNKNOWN")


async def test_sessions_that_make_no_sense_are_refused(kernel: Kernel, start: Any) -> None:
    base = await start("base")
    grant = await kernel.register(base)
    beat = registry_pb2.SessionRequest(lease_id=grant.lease_id, state=READY)
    for wrong in (
        registry_pb2.SessionRequest(lease_id=grant.lease_id),
        registry_pb2.SessionRequest(lease_id=grant.lease_id, state=99),  # type: ignore[arg-type]
        registry_pb2.SessionRequest(lease_id=b"another lease...", state=READY),
        registry_pb2.SessionRequest(lease_id=b"short", state=READY),
    ):
        session = base.registry.Session()
        await session.write(beat)
        await session.read()
        await session.write(wrong)
        assert await refusal(answer_to(session)) == ("INVALID_ARGUMENT", "INVALID_REGISTRATION")


async def test_nobody_at_the_endpoint_or_somebody_else_is_refused(
    kernel: Kernel, start: Any
) -> None:
    base, top = await start("base"), await start("top")

    kernel.describe_s = 0.5
    for endpoint in (f"unix:{kernel.folder}/nobody.sock", top.endpoint):
        assert await refusal(kernel.register(base, endpoint=endpoint)) == (
            "FAILED_PRECONDITION",
            "MODULE_UNREACHABLE",
        )
    assert await refusal(kernel.register(base, module="gone")) == ("NOT_FOUND", "MODULE_NOT_FOUND")
    assert await refusal(kernel.register(base, version="")) == (
        "INVALID_ARGUMENT",
        "INVALID_REGISTRATION",
    )


@pytest.mark.stress
async def test_a_second_instance_waits_until_the_first_is_gone(kernel: Kernel, start: Any) -> None:
    first, second = await start("base"), await start("base")
    session = await kernel.make_ready(first)

    assert await refusal(kernel.register(second)) == ("ABORTED", "STALE_EPOCH")
    await first.server.stop(0)
    kernel.describe_s = 5  # that long it is asked whether it still answers
    grant = await kernel.register(second)

    assert grant.epoch == 2
    await session.write(registry_pb2.SessionRequest(state=READY))
    code, _ = await refusal(answer_to(session))
    assert code == "INVALID_ARGUMENT"


async def test_what_has_no_beat_for_a_ttl_is_awaited_again(start: Any) -> None:
    async with running("base", lease_ttl_ms=300) as made:
        module = made.module_of("base")
        await module.server.start([module.endpoint])
        await made.register(module)

        await made.until("base", module_pb2.MODULE_STATE_STARTING)
        await module.server.stop(0)

        assert (await made.module("base")).last_exit == "no heartbeat for 0.3 s"


async def test_what_breaks_its_session_off_is_awaited_again(start: Any) -> None:
    async with running("base", reconnect_grace_ms=100) as made:
        module = made.module_of("base")
        await module.server.start([module.endpoint])
        session = await made.make_ready(module)

        session.cancel()

        await made.until("base", module_pb2.MODULE_STATE_STARTING)
        await module.server.stop(0)
        assert (await made.module("base")).last_exit == "its session ended"


async def test_observed_modules_are_not_the_kernels_to_stop(kernel: Kernel) -> None:
    supervisor = kernel.supervisor
    refused = ("FAILED_PRECONDITION", "RUNTIME_EXTERNAL")
    unknown = ("NOT_FOUND", "MODULE_NOT_FOUND")

    for name, expected in (("base", refused), ("gone", unknown)):
        stop = supervisor_pb2.StopModuleRequest(module=name)
        restart = supervisor_pb2.RestartModuleRequest(module=name)
        logs = supervisor_pb2.StreamLogsRequest(module=name)
        assert await refusal(supervisor.StopModule(stop)) == expected
        kill = supervisor_pb2.KillModuleRequest(module=name)
        assert await refusal(supervisor.RestartModule(restart)) == expected
        assert await refusal(supervisor.KillModule(kill)) == expected
        assert await refusal(supervisor.StreamLogs(logs).read()) == expected
    start = supervisor_pb2.StartModuleRequest(module="base")
    started = (await supervisor.StartModule(start)).module
    assert started.runtime == module_pb2.MODULE_RUNTIME_EXTERNAL
    start = supervisor_pb2.StartModuleRequest(module="gone")
    assert await refusal(supervisor.StartModule(start)) == unknown


async def test_health_follows_the_modules(kernel: Kernel, start: Any) -> None:
    assert await kernel.health("logos.kernel.v1.Supervisor") == "SERVING"
    assert await kernel.health("logos.kernel.v1.Registry", inner=True) == "SERVING"
    assert await kernel.health("logos.kernel.v1.Kernel", inner=True) == "SERVING"
    assert await kernel.health("") == "NOT_SERVING"
    assert await kernel.health("", inner=True) == "NOT_SERVING"
    assert await kernel.health("test.base.Echo") == "NOT_SERVING"

    session = await kernel.make_ready(await start("base"))
    assert await kernel.health("test.base.Echo") == "SERVING"
    assert await kernel.health("") == "NOT_SERVING"
    await kernel.make_ready(await start("top"))
    assert await kernel.health("") == "SERVING"
    assert await kernel.health("", inner=True) == "SERVING"
    session.cancel()


async def test_reflection_follows_the_modules(kernel: Kernel, start: Any) -> None:
    assert {"logos.kernel.v1.Kernel", "grpc.health.v1.Health"} < await kernel.reflected()
    assert "test.base.Echo" not in await kernel.reflected()

    base = await start("base")
    grant = await kernel.register(base)
    assert "test.base.Echo" not in await kernel.reflected()
    session = base.registry.Session()
    await session.write(registry_pb2.SessionRequest(lease_id=grant.lease_id, state=READY))
    await session.read()
    await kernel.until("base", READY)

    assert "test.base.Echo" in await kernel.reflected()
    answer = await kernel.reflect(file_containing_symbol="test.base.Echo")
    assert len(answer.file_descriptor_response.file_descriptor_proto) >= 1
    await base.registry.Deregister(registry_pb2.DeregisterRequest(lease_id=grant.lease_id))
    assert "test.base.Echo" not in await kernel.reflected()
    assert await kernel.health("test.base.Echo") == "NOT_SERVING"


async def test_the_time_a_state_began_at_stays(kernel: Kernel, start: Any) -> None:
    # The wall clock of this kernel stands still, so it drifts away from the monotonic one.
    await kernel.make_ready(await start("base"))
    before = kernel.node.kernel.views.all()

    await asyncio.sleep(0.01)

    assert kernel.node.kernel.views.all() == before


async def test_calls_are_routed_once_a_module_is_ready(kernel: Kernel, start: Any) -> None:
    call = echo_service.stub(kernel.channel, "test.base.Echo", "UnaryUnary")
    assert await refusal(call(echo_service.Bytes(value=b"x"))) == (
        "UNAVAILABLE",
        "MODULE_NOT_READY",
    )
    await kernel.make_ready(await start("base"))

    assert (await call(echo_service.Bytes(value=b"x"))).value == b"x"


async def test_a_module_that_comes_back_keeps_the_calls_it_has(kernel: Kernel, start: Any) -> None:
    base = await start("base")
    await kernel.make_ready(base)
    call = echo_service.stub(kernel.channel, "test.base.Echo", "StreamStream")()
    await call.write(echo_service.Bytes(value=b"before"))
    assert (await call.read()).value == b"before"

    await kernel.register(base, epoch=1)

    await call.write(echo_service.Bytes(value=b"after"))
    assert (await call.read()).value == b"after"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_descriptors_that_cannot_be_read_do_no_harm(kernel: Kernel, start: Any) -> None:
    base = await start("base")
    described = Described("base", base.instance_id, b"", {})
    view = kernel.node.kernel.views.one("base")

    await kernel.node.front.update(
        [replace(view, state=ModuleState.READY, described=described)], is_ready=False
    )

    assert "test.base.Echo" in await kernel.reflected()
    answer = await kernel.reflect(file_containing_symbol="test.base.Echo")
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_each_listener_has_its_own_services(kernel: Kernel, start: Any) -> None:
    await kernel.make_ready(await start("base"))
    own = {name for name in await kernel.reflected() if name.startswith(("logos.", "test."))}
    inner = {name for name in await kernel.reflected(inner=True) if name.startswith("logos.")}
    shared = ("Capability", "Events", "Kernel", "Router")
    kernels = {f"logos.kernel.v1.{name}" for name in shared}
    operators = {f"logos.kernel.v1.{name}" for name in ("Installer", "Settings", "Supervisor")}
    assert own == {*kernels, *operators, "test.base.Echo"}
    assert inner == {*kernels, "logos.kernel.v1.Registry"}

    outside: Any = registry_pb2_grpc.RegistryStub(kernel.channel)
    within: Any = supervisor_pb2_grpc.SupervisorStub(kernel.inner_channel)
    routed = echo_service.stub(kernel.inner_channel, "test.base.Echo", "UnaryUnary")
    refused = [
        await refusal(outside.Resolve(registry_pb2.ResolveRequest(module="base"))),
        await refusal(within.StartModule(supervisor_pb2.StartModuleRequest(module="base"))),
        await refusal(routed(echo_service.Bytes(value=b"x"))),
    ]

    assert [code for code, _ in refused] == ["UNIMPLEMENTED"] * 3


async def _next(stream: Any) -> Any:
    """Returns the next transition of a stream, in short."""
    one = (await stream.read()).transition
    names = module_pb2.ModuleState.Name(one.old)[13:], module_pb2.ModuleState.Name(one.new)[13:]
    return one.revision, one.module, *names, module_pb2.TransitionReason.Name(one.reason)[18:]


async def test_every_transition_is_watched_once_also_by_who_comes_again(
    kernel: Kernel, start: Any
) -> None:
    """kernel.md 14.15."""
    watch = kernel.supervisor.WatchTransitions
    while kernel.modules.journal.revision < 2:  # noqa: ASYNC110 -- two modules are awaited
        await asyncio.sleep(0.01)
    first = watch(supervisor_pb2.WatchTransitionsRequest())
    snapshot = (await first.read()).snapshot
    starting = module_pb2.MODULE_STATE_STARTING
    assert snapshot.revision == 2
    assert [(one.module, one.state) for one in snapshot.modules] == [
        ("base", starting),
        ("top", starting),
    ]

    await kernel.make_ready(await start("base"))
    assert await _next(first) == (3, "base", "STARTING", "REGISTERED", "REGISTERED")
    first.cancel()
    again = watch(supervisor_pb2.WatchTransitionsRequest(from_revision=4))
    assert await _next(again) == (4, "base", "REGISTERED", "READY", "REPORTED")
    await kernel.register(await start("top"))

    assert await _next(again) == (5, "top", "STARTING", "REGISTERED", "REGISTERED")


async def test_a_plan_is_refused_like_the_request_itself(kernel: Kernel) -> None:
    async def asked(operation: Any, module: str = "base") -> Any:
        request = supervisor_pb2.PlanOperationRequest(operation=operation, module=module)
        return await kernel.supervisor.PlanOperation(request)

    assert list((await asked(supervisor_pb2.OPERATION_START)).steps) == []
    for operation, module, expected in (
        (supervisor_pb2.OPERATION_STOP, "base", ("FAILED_PRECONDITION", "RUNTIME_EXTERNAL")),
        (supervisor_pb2.OPERATION_RESTART, "base", ("FAILED_PRECONDITION", "RUNTIME_EXTERNAL")),
        (supervisor_pb2.OPERATION_START, "other", ("NOT_FOUND", "MODULE_NOT_FOUND")),
        (supervisor_pb2.OPERATION_UNSPECIFIED, "base", ("INVALID_ARGUMENT", "UNKNOWN_OPERATION")),
        (77, "base", ("INVALID_ARGUMENT", "UNKNOWN_OPERATION")),
    ):
        assert await refusal(asked(operation, module)) == expected


async def test_exits_carry_what_is_known_and_no_more(kernel: Kernel) -> None:
    note, now_ms = kernel.modules.journal.note_exit, 1_700_000_000_000
    for epoch, how in enumerate(
        [Exit(None), Exit(3, ("a", "b"), is_oom=False), Exit(-9, is_oom=True)], start=1
    ):
        note("base", epoch, how, Reason.EXITED, now_ms)

    request = supervisor_pb2.ListExitsRequest(module="base")
    killed, failed, unknown = (await kernel.supervisor.ListExits(request)).exits

    assert (killed.epoch, killed.WhichOneof("how"), killed.signal) == (3, "signal", 9)
    assert (failed.WhichOneof("how"), failed.code, failed.lines) == ("code", 3, ["a", "b"])
    assert (killed.out_of_memory, failed.out_of_memory) == (True, False)
    assert failed.HasField("out_of_memory")
    assert unknown.WhichOneof("how") is None
    assert not unknown.HasField("out_of_memory")
    assert killed.reason == module_pb2.TRANSITION_REASON_EXITED
    assert killed.at.ToMilliseconds() == now_ms
    other = supervisor_pb2.ListExitsRequest(module="other")
    assert await refusal(kernel.supervisor.ListExits(other)) == ("NOT_FOUND", "MODULE_NOT_FOUND")


async def test_a_revision_that_was_never_reached_is_refused(kernel: Kernel) -> None:
    request = supervisor_pb2.WatchTransitionsRequest(from_revision=2**40)

    call = kernel.supervisor.WatchTransitions(request)

    assert await refusal(call.read()) == ("OUT_OF_RANGE", "REVISION_UNKNOWN")
