"""A kernel that only observes, over gRPC, with modules that live in the test."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import echo_service
import grpc
import pytest
from gates import borne, gate_of
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from kernel_world import Half
from memory_events import MemoryEventStore
from memory_store import MemoryModuleStore

from kernel_plans import journal, plans
from logos.kernel.v1 import (
    kernel_pb2,
    kernel_pb2_grpc,
    module_pb2,
    registry_pb2,
    registry_pb2_grpc,
    supervisor_pb2_grpc,
)
from logos.module.v1.module_host_pb2_grpc import add_ModuleHostServicer_to_server
from logos_base.manifest import Manifest
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import open_channel
from logos_kernel.core.modules import Modules
from logos_kernel.core.restarts import RestartPolicy
from logos_kernel.core.types import Described, KernelInfo, Runtime
from logos_kernel.net.external import External
from logos_kernel.net.probe import describe
from logos_kernel.node import Node
from logos_kernel.operations.audit import Audit
from logos_kernel.operations.events import Events
from logos_module.capabilities.authorizer import TokenAuthorizer
from logos_module.capabilities.identity import Identity
from logos_module.errors import reason_of
from logos_module.host import ModuleHostServicer
from logos_module.server import Server

READY = module_pb2.MODULE_STATE_READY
REGISTERED = module_pb2.MODULE_STATE_REGISTERED
NODE = KernelInfo("node1", "small", "0.1.0", 4, 1_700_000_000_123)

for _name in ("base", "top"):
    echo_service.define(f"test.{_name}")


TTL_MS = 3_600_000
"""No heartbeats are sent in these tests, and no lease must expire on a slow machine."""


class Kernel:
    """A kernel that only observes, and stubs of its operator to talk to it."""

    def __init__(self, folder: str, modules: Sequence[str], policy: RestartPolicy) -> None:
        self.folder = folder
        self.describe_s = 60.0
        self.modules = Modules(
            plans(dict.fromkeys(modules, ()), Runtime.EXTERNAL), [], policy, Half(), journal()
        )
        self.store = MemoryModuleStore()
        self.gate = gate_of(self.modules)
        self.node = Node(
            NODE,
            self.modules,
            runtime=External(),
            store=self.store,
            gate=self.gate,
            audit=Audit(self.store, lambda: 1_700_000_000_000),
            events=Events(MemoryEventStore(), lambda: 1_700_000_000_000),
            probe=self._describe,
            wall_ms=lambda: 1_700_000_000_000,
        )
        self.front, self.inner = f"unix:{folder}/front.sock", f"unix:{folder}/inner.sock"
        self.channel: grpc.aio.Channel = borne(open_channel(self.front))
        self.inner_channel = open_channel(self.inner)
        self.kernel: Any = kernel_pb2_grpc.KernelStub(self.channel)
        self.supervisor: Any = supervisor_pb2_grpc.SupervisorStub(self.channel)

    async def _describe(self, endpoint: str) -> Described:
        return await describe(endpoint, self.describe_s)

    def module_of(self, name: str) -> "FakeModule":
        return FakeModule(self, name)

    async def register(self, one: "FakeModule", **changes: Any) -> Any:
        fields: dict[str, Any] = {
            "module": one.name,
            "version": "0.1.0",
            "instance_id": one.instance_id,
            "endpoint": one.endpoint,
            "services": [f"test.{one.name}.Echo"],
        }
        request = registry_pb2.RegisterRequest(**(fields | changes))
        asked = registry_pb2.ChallengeRequest(module=request.module)
        nonce = (await one.registry.Challenge(asked, timeout=60)).nonce
        one.identity.sign(request, nonce)
        response = await one.registry.Register(request, timeout=60)
        one.identity.accept(response, nonce)
        return response

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
        session = module.registry.Session()
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

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.name = name
        self.instance_id = secrets.token_bytes(16)
        secret = kernel.gate.keyring.join_secret(name)
        self.identity = Identity(name, self.instance_id, secret)
        self.endpoint = f"unix:{kernel.folder}/{self.instance_id.hex()}.sock"
        self.to_kernel = AuthorizedChannel(kernel.inner_channel, self.identity.for_kernel)
        self.registry: Any = registry_pb2_grpc.RegistryStub(self.to_kernel)
        self.server = Server(TokenAuthorizer(self.identity.verifier))
        manifest = Manifest(name, "0.1.0", services=(f"test.{name}.Echo",))
        self.host = ModuleHostServicer(manifest, self.instance_id, self.server.gate)
        self.server.serve(add_ModuleHostServicer_to_server, self.host)
        self.echo = echo_service.Echo(1)
        self.server.serve(echo_service.adder(f"test.{name}.Echo"), self.echo)

    async def follow(self, session: Any) -> None:
        """Goes by what the kernel says in a session, as the SDK does."""
        while (response := await session.read()) is not grpc.aio.EOF:
            self.identity.revoke(response.revocations)
            if response.renew:
                self.identity.expire()
            if response.signing_keys:
                self.identity.trust(response.signing_keys)


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


async def answer_to(session: Any) -> registry_pb2.SessionResponse:
    """Returns the next answer to a heartbeat; keys and revocations may come before it."""
    while True:
        response: registry_pb2.SessionResponse = await session.read()
        if response.HasField("ttl"):
            return response


async def refusal(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value.code().name, reason_of(failed.value)


def declares(kernel: Kernel, module: str, *topics: str) -> None:
    """Has the manifest of a module declare what it reads."""
    plan = kernel.modules.find(module).plan
    manifest = replace(plan.manifest, subscribes=topics)
    kernel.modules.find(module).plan = replace(plan, manifest=manifest)
