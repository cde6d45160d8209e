"""Checks of what a module reports to its kernel and to any client (KER-13, KER-15)."""

from typing import Any, Final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from logos.kernel.v1 import registry_pb2
from logos.module.v1 import module_host_pb2, module_host_pb2_grpc
from logos_module.conformance.bench import Bench, Running
from logos_module.conformance.broken import broken, expect
from logos_module.conformance.caller import TIMEOUT_S, Tester, outcome_of
from logos_module.reflection import V1, V1ALPHA
from logos_module.session import MAX_STATUS_BYTES

MAX_DESCRIPTORS_BYTES: Final = 4 * 1024 * 1024
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_BEATS: Final = 4


async def describes_itself(bench: Bench) -> None:
    """Describe answers without a token, and says what the manifest does."""
    async with bench.ready() as running:
        described = await describe(running)
        manifest = running.subject.manifest
        expect("module in Describe", described.module, manifest.name)
        expect("version in Describe", described.version, manifest.version)
        expect("services in Describe", sorted(described.services), sorted(manifest.services))
        expect("instance_id", described.instance_id, running.kernel.registered[-1].instance_id)
        methods_of(described)


async def registers(bench: Bench) -> None:
    """It proves its join secret, and registers as what it was started as."""
    async with bench.ready() as running:
        request, manifest = running.kernel.registered[-1], running.subject.manifest
        expect("module in Register", request.module, manifest.name)
        expect("version in Register", request.version, manifest.version)
        expect("endpoint in Register", request.endpoint, running.endpoint)
        if not running.is_elsewhere:  # else it has none yet, or that of an earlier check
            expect("epoch in Register", request.epoch, running.kernel.epoch)
        expect("services in Register", sorted(request.services), sorted(manifest.services))
        expect("the size of instance_id in Register", len(request.instance_id), 16)


async def sends_heartbeats(bench: Bench) -> None:
    """It sends heartbeats on one session, without being asked (KER-4)."""
    async with bench.ready() as running:
        beats = running.kernel.beats
        await running.until(lambda: len(beats) >= _BEATS, "does not send heartbeats")
        for beat in beats:
            if len(beat.status_text.encode()) > MAX_STATUS_BYTES:
                broken(f"status_text is over {MAX_STATUS_BYTES} bytes")
        if running.subject.manifest.watchdog_ms is not None:
            await running.until(lambda: _gets_on(beats), "has a watchdog, and makes no progress")


def _gets_on(beats: list[registry_pb2.SessionRequest]) -> bool:
    return len({beat.progress for beat in beats}) > 1


async def serves_health(bench: Bench) -> None:
    """grpc.health.v1 answers without a token: SERVING, and NOT_FOUND of what it is not."""
    async with bench.ready() as running:
        health: Any = health_pb2_grpc.HealthStub(running.channel)
        for service in ("", *running.subject.manifest.services):
            request = health_pb2.HealthCheckRequest(service=service)
            found = await health.Check(request, timeout=TIMEOUT_S)
            expect(f"the health of {service!r}", found.status, _SERVING)
        unknown = health_pb2.HealthCheckRequest(service="conformance.v1.Nothing")
        try:
            await health.Check(unknown, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            expect("the answer for an unknown service", error.code(), grpc.StatusCode.NOT_FOUND)
        else:
            broken("the health of an unknown service is answered, and must be NOT_FOUND")


async def serves_reflection(bench: Bench) -> None:
    """Reflection v1 and v1alpha list and describe its services, without a token."""
    async with bench.ready() as running:
        for version in (V1, V1ALPHA):
            ask = running.channel.stream_stream(
                f"/{version}/ServerReflectionInfo",
                request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
            )
            services = running.subject.manifest.services
            questions = [
                reflection_pb2.ServerReflectionRequest(list_services=""),
                *(
                    reflection_pb2.ServerReflectionRequest(file_containing_symbol=service)
                    for service in services
                ),
            ]
            listed, *files = [answer async for answer in ask(iter(questions), timeout=TIMEOUT_S)]
            names = {each.name for each in listed.list_services_response.service}
            expect(f"what {version} does not list", sorted(set(services) - names), [])
            for service, file in zip(services, files, strict=True):
                if not file.file_descriptor_response.file_descriptor_proto:
                    broken(f"{version} has no file of {service}: {file.error_response}")


async def refuses_unknown_methods(bench: Bench) -> None:
    """An unknown method is UNIMPLEMENTED for any caller (KER-14)."""
    async with bench.ready() as running:
        tester = Tester(running.subject.manifest.name, running.kernel.now_s())
        names = [f"{service}/NoSuchMethod" for service in running.subject.manifest.services]
        for name in [*names, "conformance.v1.Nothing/Do"]:
            outcome = await outcome_of(running.channel, name, tester.metadata(name))
            expect(f"the answer to {name}", outcome.code, grpc.StatusCode.UNIMPLEMENTED)


async def describe(running: Running) -> module_host_pb2.DescribeResponse:
    """Asks a module what it is, without a token."""
    host: Any = module_host_pb2_grpc.ModuleHostStub(running.channel)
    response = await host.Describe(module_host_pb2.DescribeRequest(), timeout=TIMEOUT_S)
    return module_host_pb2.DescribeResponse.FromString(response.SerializeToString())


def methods_of(described: module_host_pb2.DescribeResponse) -> list[str]:
    """Returns the methods of the described services, those that change nothing first."""
    raw = described.file_descriptor_set
    if len(raw) > MAX_DESCRIPTORS_BYTES:
        broken(f"file_descriptor_set has {len(raw)} bytes, over {MAX_DESCRIPTORS_BYTES}")
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in descriptor_pb2.FileDescriptorSet.FromString(raw).file:
            pool.Add(file)
        services = [pool.FindServiceByName(name) for name in described.services]
    except (DecodeError, TypeError, KeyError) as error:
        broken(f"file_descriptor_set cannot be used: {error}")
    safe = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    methods = [method for service in services for method in service.methods]
    methods.sort(key=lambda method: method.GetOptions().idempotency_level != safe)
    return [f"{method.containing_service.full_name}/{method.name}" for method in methods]
