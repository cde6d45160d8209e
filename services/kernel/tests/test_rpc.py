"""`logos.kernel.v1` over gRPC, with modules that live in the test."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import echo_service
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from kernel_world import Half
from memory_store import MemoryModuleStore

from kernel_plans import plans
from logos.kernel.v1 import (
    kernel_pb2,
    kernel_pb2_grpc,
    module_pb2,
    registry_pb2,
    registry_pb2_grpc,
    supervisor_pb2,
    supervisor_pb2_grpc,
)
from logos.module.v1.module_host_pb2_grpc import add_ModuleHostServicer_to_server
from logos_base.errors import ErrorKind, LogosError
from logos_base.manifest import Manifest
from logos_kernel.core.modules import Modules
from logos_kernel.core.restarts import RestartPolicy
from logos_kernel.core.types import Described, Identity, ModuleState, Runtime
from logos_kernel.net.external import External
from logos_kernel.net.probe import describe
from logos_kernel.node import Node
from logos_module.access import Caller, Listener
from logos_module.channels import open_channel
from logos_module.errors import reason_of
from logos_module.host import ModuleHostServicer
from logos_module.server import Server

READY = module_pb2.MODULE_STATE_READY
REGISTERED = module_pb2.MODULE_STATE_REGISTERED
NODE = Identity("node1", "small", "0.1.0", 4, 1_700_000_000_123)

for _name in ("base", "top"):
    echo_service.define(f"test.{_name}")


TTL_MS = 3_600_000
"""Nobody beats in these tests: no lease shall end because a machine is slow."""


class NotAllowedError(LogosError):
    kind = ErrorKind.FAILED_PRECONDITION
    reason = "NOT_ALLOWED"


class Without:
    """Refuses some methods, and remembers the callers of all."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.callers: dict[str, list[tuple[str, str, Any]]] = {}

    def authorize(self, caller: Caller, method: str) -> None:
        known = (caller.listener, caller.peer, caller.metadata)
        self.callers.setdefault(method, []).append(known)
        if method in self.refused:
            raise NotAllowedError("not for you")


class Kernel:
    """A kernel that only observes, and stubs to talk to it."""

    def __init__(self, folder: str, modules: Sequence[str], policy: RestartPolicy) -> None:
        self.authorizer = Without()
        self.folder = folder
        self.describe_s = 60.0
        self.modules = Modules(
            plans(dict.fromkeys(modules, ()), Runtime.EXTERNAL), [], policy, Half()
        )
        self.node = Node(
            NODE,
            self.modules,
            runtime=External(),
            store=MemoryModuleStore(),
            probe=self._describe,
            authorizer=self.authorizer,
            wall_ms=lambda: 1_700_000_000_000,
        )
        self.front, self.inner = f"unix:{folder}/front.sock", f"unix:{folder}/inner.sock"
        self.channel = open_channel(self.front)
        self.inner_channel = open_channel(self.inner)
        self.kernel: Any = kernel_pb2_grpc.KernelStub(self.channel)
        self.registry: Any = registry_pb2_grpc.RegistryStub(self.inner_channel)
        self.supervisor: Any = supervisor_pb2_grpc.SupervisorStub(self.channel)

    async def _describe(self, endpoint: str) -> Described:
        return await describe(endpoint, self.describe_s)

    async def register(self, one: "FakeModule", **changes: Any) -> Any:
        fields: dict[str, Any] = {
            "module": one.name,
            "version": "0.1.0",
            "instance_id": one.instance_id,
            "endpoint": one.endpoint,
            "services": [f"test.{one.name}.Echo"],
        }
        request = registry_pb2.RegisterRequest(**(fields | changes))
        return await self.registry.Register(request, timeout=60)

    async def module(self, name: str) -> module_pb2.Module:
        status = await self.kernel.GetStatus(kernel_pb2.GetStatusRequest())
        return next(one for one in status.modules if one.name == name)

    async def until(self, name: str, state: int) -> None:
        async with asyncio.timeout(60):
            while (await self.module(name)).state != state:  # noqa: ASYNC110 -- a remote state
                await asyncio.sleep(0.01)

    async def make_ready(self, module: "FakeModule") -> Any:
        """Registers a module, says that it is READY; returns its open session."""
        grant = await self.register(module)
        session = self.registry.Session()
        await session.write(registry_pb2.SessionRequest(lease_id=grant.lease_id, state=READY))
        await session.read()
        await self.until(module.name, READY)
        return session

    async def health(self, service: str, *, inner: bool = False) -> str:
        channel = self.inner_channel if inner else self.channel
        stub: Any = health_pb2_grpc.HealthStub(channel)
        response = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))

    async def reflect(self, *, inner: bool = False, **request: Any) -> Any:
        channel = self.inner_channel if inner else self.channel
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**request)]))
        async for answer in call:
            return answer
        raise AssertionError("no answer")

    async def reflected(self, *, inner: bool = False) -> set[str]:
        answer = await self.reflect(list_services="", inner=inner)
        return {one.name for one in answer.list_services_response.service}


class FakeModule:
    """A process of a module, in the test's own."""

    def __init__(self, folder: str, name: str) -> None:
        self.name = name
        self.instance_id = secrets.token_bytes(16)
        self.endpoint = f"unix:{folder}/{self.instance_id.hex()}.sock"
        self.server = Server()
        manifest = Manifest(name, "0.1.0", services=(f"test.{name}.Echo",))
        self.server.serve(
            add_ModuleHostServicer_to_server,
            ModuleHostServicer(manifest, self.instance_id, self.server.gate),
        )
        self.server.serve(echo_service.adder(f"test.{name}.Echo"), echo_service.Echo(1))


@asynccontextmanager
async def running(*modules: str, **policy: int) -> AsyncIterator[Kernel]:
    with tempfile.TemporaryDirectory(prefix="lk-") as folder:
        slow = {"lease_ttl_ms": TTL_MS, "reconnect_grace_ms": TTL_MS}
        made = Kernel(folder, modules, RestartPolicy(**(slow | policy)))
        await made.node.open(made.front, made.inner)
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(made.node.run())
            try:
                yield made
            finally:
                made.node.close()
                await made.channel.close()
                await made.inner_channel.close()


@pytest.fixture
async def kernel() -> AsyncIterator[Kernel]:
    async with running("base", "top") as made:
        yield made


@pytest.fixture
async def start(kernel: Kernel) -> AsyncIterator[Any]:
    """Starts fake modules, and ends them."""
    async with AsyncExitStack() as stack:

        async def started(name: str) -> FakeModule:
            module = FakeModule(kernel.folder, name)
            await module.server.start([module.endpoint])
            stack.push_async_callback(partial(module.server.stop, 0))
            return module

        yield started


async def _reason(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value.code().name, reason_of(failed.value)


async def test_the_kernel_says_who_it_is(kernel: Kernel) -> None:
    info = await kernel.kernel.GetInfo(kernel_pb2.GetInfoRequest())

    assert (info.node, info.testnet, info.version, info.epoch) == ("node1", "small", "0.1.0", 4)
    assert info.started_at.ToMilliseconds() == 1_700_000_000_123


async def test_a_module_registers_beats_and_is_found(kernel: Kernel, start: Any) -> None:
    base = await start("base")
    assert await _reason(kernel.registry.Resolve(registry_pb2.ResolveRequest(module="base"))) == (
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
    session = kernel.registry.Session()
    for text, state in (("1 of 2", REGISTERED), ("all there", READY)):
        await session.write(
            registry_pb2.SessionRequest(lease_id=grant.lease_id, state=state, status_text=text)
        )
        assert (await session.read()).ttl.ToMilliseconds() == TTL_MS
        await kernel.until("base", state)
        assert (await kernel.module("base")).status_text == text

    found = await kernel.registry.Resolve(registry_pb2.ResolveRequest(module="base"))
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

    await kernel.registry.Deregister(request)
    await kernel.registry.Deregister(request)

    session = kernel.registry.Session()
    await session.write(registry_pb2.SessionRequest(lease_id=grant.lease_id, state=READY))
    assert await _reason(session.read()) == ("NOT_FOUND", "LEASE_UNKNOWN")


async def test_sessions_that_make_no_sense_are_refused(kernel: Kernel, start: Any) -> None:
    grant = await kernel.register(await start("base"))
    beat = registry_pb2.SessionRequest(lease_id=grant.lease_id, state=READY)
    for wrong in (
        registry_pb2.SessionRequest(lease_id=grant.lease_id),
        registry_pb2.SessionRequest(lease_id=grant.lease_id, state=99),  # type: ignore[arg-type]
        registry_pb2.SessionRequest(lease_id=b"another lease...", state=READY),
        registry_pb2.SessionRequest(lease_id=b"short", state=READY),
    ):
        session = kernel.registry.Session()
        await session.write(beat)
        await session.read()
        await session.write(wrong)
        assert await _reason(session.read()) == ("INVALID_ARGUMENT", "INVALID_REGISTRATION")


async def test_nobody_at_the_endpoint_or_somebody_else_is_refused(
    kernel: Kernel, start: Any
) -> None:
    base, top = await start("base"), await start("top")

    kernel.describe_s = 0.5
    for endpoint in (f"unix:{kernel.folder}/nobody.sock", top.endpoint):
        assert await _reason(kernel.register(base, endpoint=endpoint)) == (
            "FAILED_PRECONDITION",
            "MODULE_UNREACHABLE",
        )
    assert await _reason(kernel.register(base, module="gone")) == ("NOT_FOUND", "MODULE_NOT_FOUND")
    assert await _reason(kernel.register(base, version="")) == (
        "INVALID_ARGUMENT",
        "INVALID_REGISTRATION",
    )


@pytest.mark.stress
async def test_a_second_instance_waits_until_the_first_is_gone(kernel: Kernel, start: Any) -> None:
    first, second = await start("base"), await start("base")
    session = await kernel.make_ready(first)

    assert await _reason(kernel.register(second)) == ("ABORTED", "STALE_EPOCH")
    await first.server.stop(0)
    kernel.describe_s = 5  # that long it is asked whether it still answers
    grant = await kernel.register(second)

    assert grant.epoch == 2
    await session.write(registry_pb2.SessionRequest(state=READY))
    code, _ = await _reason(session.read())
    assert code == "INVALID_ARGUMENT"


async def test_what_has_no_beat_for_a_ttl_is_awaited_again(start: Any) -> None:
    async with running("base", lease_ttl_ms=300) as made:
        module = FakeModule(made.folder, "base")
        await module.server.start([module.endpoint])
        await made.register(module)

        await made.until("base", module_pb2.MODULE_STATE_STARTING)
        await module.server.stop(0)

        assert (await made.module("base")).last_exit == "no heartbeat for 0.3 s"


async def test_what_breaks_its_session_off_is_awaited_again(start: Any) -> None:
    async with running("base", reconnect_grace_ms=100) as made:
        module = FakeModule(made.folder, "base")
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
        assert await _reason(supervisor.StopModule(stop)) == expected
        assert await _reason(supervisor.RestartModule(restart)) == expected
        assert await _reason(supervisor.StreamLogs(logs).read()) == expected
    start = supervisor_pb2.StartModuleRequest(module="base")
    started = (await supervisor.StartModule(start)).module
    assert started.runtime == module_pb2.MODULE_RUNTIME_EXTERNAL
    start = supervisor_pb2.StartModuleRequest(module="gone")
    assert await _reason(supervisor.StartModule(start)) == unknown


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
    session = kernel.registry.Session()
    await session.write(registry_pb2.SessionRequest(lease_id=grant.lease_id, state=READY))
    await session.read()
    await kernel.until("base", READY)

    assert "test.base.Echo" in await kernel.reflected()
    answer = await kernel.reflect(file_containing_symbol="test.base.Echo")
    assert len(answer.file_descriptor_response.file_descriptor_proto) >= 1
    await kernel.registry.Deregister(registry_pb2.DeregisterRequest(lease_id=grant.lease_id))
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
    assert await _reason(call(echo_service.Bytes(value=b"x"))) == (
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
    assert own == {"logos.kernel.v1.Kernel", "logos.kernel.v1.Supervisor", "test.base.Echo"}
    assert inner == {"logos.kernel.v1.Kernel", "logos.kernel.v1.Registry"}

    outside: Any = registry_pb2_grpc.RegistryStub(kernel.channel)
    within: Any = supervisor_pb2_grpc.SupervisorStub(kernel.inner_channel)
    routed = echo_service.stub(kernel.inner_channel, "test.base.Echo", "UnaryUnary")
    refused = [
        await _reason(outside.Resolve(registry_pb2.ResolveRequest(module="base"))),
        await _reason(within.StartModule(supervisor_pb2.StartModuleRequest(module="base"))),
        await _reason(routed(echo_service.Bytes(value=b"x"))),
    ]

    assert [code for code, _ in refused] == ["UNIMPLEMENTED"] * 3


async def test_every_call_of_both_listeners_is_asked_about_once(kernel: Kernel, start: Any) -> None:
    await kernel.make_ready(await start("base"))
    info, session = "/logos.kernel.v1.Kernel/GetInfo", "/logos.kernel.v1.Registry/Session"
    logs, echo = "/logos.kernel.v1.Supervisor/StreamLogs", "/test.base.Echo/"
    kernel.authorizer.callers.clear()
    inner: Any = kernel_pb2_grpc.KernelStub(kernel.inner_channel)
    one = echo_service.stub(kernel.channel, "test.base.Echo", "UnaryUnary")
    many = echo_service.stub(kernel.channel, "test.base.Echo", "StreamStream")
    credentials = (("authorization", "Bearer x"),)

    async def call(which: str) -> Any:
        match which:
            case "front":
                return await kernel.kernel.GetInfo(kernel_pb2.GetInfoRequest())
            case "inner":
                return await inner.GetInfo(kernel_pb2.GetInfoRequest())
            case "session":
                return await kernel.registry.Session(iter([registry_pb2.SessionRequest()])).read()
            case "logs":
                request = supervisor_pb2.StreamLogsRequest(module="base")
                return await kernel.supervisor.StreamLogs(request).read()
            case "routed":
                return await one(echo_service.Bytes(value=b"x"), metadata=credentials)
        return await many(iter([echo_service.Bytes(value=b"x")])).read()

    for which in ("front", "inner", "routed", "routed stream"):
        await call(which)
    asked = kernel.authorizer.callers
    assert [listener for listener, _, _ in asked[info]] == [Listener.FRONT, Listener.INNER]
    [(listener, peer, metadata)] = asked[echo + "UnaryUnary"]
    assert (listener, peer) == (Listener.FRONT, "unix:")
    assert credentials[0] in metadata
    assert len(asked[echo + "StreamStream"]) == 1

    kernel.authorizer.refused = {info, session, logs, echo + "UnaryUnary", echo + "StreamStream"}
    for which in ("front", "inner", "session", "logs", "routed", "routed stream"):
        assert await _reason(call(which)) == ("FAILED_PRECONDITION", "NOT_ALLOWED")
