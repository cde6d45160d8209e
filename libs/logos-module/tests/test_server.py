"""One server: errors, draining, limits, health, reflection, addresses."""

import asyncio
import logging
import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status

from logos.kernel.v1 import (
    capability_pb2,
    capability_pb2_grpc,
    kernel_pb2,
    kernel_pb2_grpc,
    supervisor_pb2,
    supervisor_pb2_grpc,
)
from logos_base.errors import ErrorKind, LogosError
from logos_client.channels import MAX_MESSAGE_BYTES, open_channel
from logos_module import interceptor
from logos_module.errors import ModuleNotReadyError, reason_of
from logos_module.interceptor import PassedHandler
from logos_module.reflection import describe
from logos_module.server import AddressInUseError, Server
from open_access import OpenAccess

INFO = kernel_pb2.GetInfoRequest()
STATUS = kernel_pb2.GetStatusRequest()


class QuotaError(LogosError):
    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "QUOTA"
    retry_after_ms = 250
    field = "size"


class KernelServicer(kernel_pb2_grpc.KernelServicer):
    """Runs the function of a test."""

    def __init__(self) -> None:
        self.node = "node1"
        self.begun = asyncio.Event()
        self.error: Exception | None = None
        self.wait = asyncio.Event()
        self.wait.set()

    async def GetInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.begun.set()
        await self.wait.wait()
        if self.error is not None:
            raise self.error
        return kernel_pb2.GetInfoResponse(node=self.node)

    async def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        await context.abort(grpc.StatusCode.ABORTED, "by hand")


class SupervisorServicer(supervisor_pb2_grpc.SupervisorServicer):
    async def StreamLogs(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        yield supervisor_pb2.StreamLogsResponse(line="one")
        if request.module:
            raise QuotaError("nothing left")


class Passing(grpc.GenericRpcHandler):
    """Answers every method with what it was sent."""

    def service(self, handler_call_details: Any) -> Any:
        async def serve(request: bytes, context: Any) -> bytes:
            return request

        return PassedHandler(serve, request_streaming=False, response_streaming=False)


class Served:
    def __init__(self, folder: str, *, fallback: grpc.GenericRpcHandler | None = None) -> None:
        self.address = f"unix:{folder}/s.sock"
        self.server = Server(OpenAccess(), fallback=fallback)
        self.servicer = KernelServicer()
        self.server.serve(kernel_pb2_grpc.add_KernelServicer_to_server, self.servicer)
        self.server.serve(
            supervisor_pb2_grpc.add_SupervisorServicer_to_server, SupervisorServicer()
        )
        self.channel = open_channel(self.address)
        self.kernel: Any = kernel_pb2_grpc.KernelStub(self.channel)
        self.supervisor: Any = supervisor_pb2_grpc.SupervisorStub(self.channel)
        self.health: Any = health_pb2_grpc.HealthStub(self.channel)


@pytest.fixture(params=[None])
async def served(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        made = Served(folder, fallback=request.param)
        await made.server.start([made.address])
        async with asyncio.timeout(60):
            yield made
        await made.channel.close()
        await made.server.stop(0)


async def _failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value


async def test_an_error_becomes_a_rich_status(served: Served) -> None:
    served.servicer.error = QuotaError("nothing left")

    error = await _failure(served.kernel.GetInfo(INFO))

    assert (error.code(), error.details()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "nothing left")
    details = rpc_status.from_call(error).details
    info, retry, wrong = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.RetryInfo(),
        error_details_pb2.BadRequest(),
    )
    assert [one.Unpack(into) for one, into in zip(details, (info, retry, wrong), strict=True)] == [
        True,
        True,
        True,
    ]
    assert (info.reason, info.domain) == ("QUOTA", "logos")
    assert retry.retry_delay.ToMilliseconds() == 250
    assert wrong.field_violations[0].field == "size"


async def test_an_unexpected_error_says_nothing_but_is_logged(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.servicer.error = ValueError("a secret")

    error = await _failure(served.kernel.GetInfo(INFO))

    assert (error.code(), reason_of(error)) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in str(error)
    logged = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert [str(one.exc_info[1]) for one in logged if one.exc_info] == ["a secret"]


async def test_an_abort_passes(served: Served) -> None:
    error = await _failure(served.kernel.GetStatus(STATUS))

    assert (error.code(), error.details(), reason_of(error)) == (
        grpc.StatusCode.ABORTED,
        "by hand",
        "",
    )


async def test_a_stream_may_fail_after_messages(served: Served) -> None:
    call = served.supervisor.StreamLogs(supervisor_pb2.StreamLogsRequest(module="storage"))

    assert (await call.read()).line == "one"
    assert reason_of(await _failure(call.read())) == "QUOTA"
    whole = served.supervisor.StreamLogs(supervisor_pb2.StreamLogsRequest())
    assert [one.line async for one in whole] == ["one"]


async def test_a_draining_server_finishes_what_it_has_and_refuses_the_rest(
    served: Served,
) -> None:
    served.servicer.wait.clear()
    call = served.kernel.GetInfo(INFO)
    await served.servicer.begun.wait()
    assert served.server.gate.in_flight == 1

    served.server.gate.drain()
    refused = await _failure(served.kernel.GetInfo(INFO))
    assert await served.server.gate.wait_idle(0.01) == 1
    served.servicer.wait.set()

    assert (refused.code(), reason_of(refused)) == (
        grpc.StatusCode.UNAVAILABLE,
        "MODULE_DRAINING",
    )
    assert (await call).node == "node1"
    assert await served.server.gate.wait_idle(60) == 0
    health = await served.health.Check(health_pb2.HealthCheckRequest(service=""))
    assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_method_that_may_come_yet_is_to_be_tried_again(served: Served) -> None:
    served.server.gate.refusal = ModuleNotReadyError("it is starting")
    capability: Any = capability_pb2_grpc.CapabilityStub(served.channel)

    early = await _failure(capability.RotateKey(capability_pb2.RotateKeyRequest()))
    served.server.gate.refusal = None
    late = await _failure(capability.RotateKey(capability_pb2.RotateKeyRequest()))

    assert (early.code(), reason_of(early)) == (grpc.StatusCode.UNAVAILABLE, "MODULE_NOT_READY")
    assert late.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_cancelled_call_leaves(served: Served) -> None:
    served.servicer.wait.clear()
    call = served.kernel.GetInfo(INFO)
    await served.servicer.begun.wait()

    call.cancel()

    assert await served.server.gate.wait_idle(60) == 0


async def test_a_unary_call_is_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interceptor, "UNARY_LIMIT_S", 0.05)
    served.servicer.wait.clear()

    error = await _failure(served.kernel.GetInfo(INFO))

    assert (error.code(), reason_of(error)) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
    )


async def test_a_servicers_own_timeout_is_not_the_servers(served: Served) -> None:
    served.servicer.error = TimeoutError()

    assert reason_of(await _failure(served.kernel.GetInfo(INFO))) == "INTERNAL"


async def test_an_error_inside_a_task_group_comes_out_as_itself(served: Served) -> None:
    served.servicer.error = ExceptionGroup(
        "of two tasks",
        [ValueError("a secret"), ExceptionGroup("inner", [QuotaError("nothing left")])],
    )

    assert reason_of(await _failure(served.kernel.GetInfo(INFO))) == "QUOTA"


async def test_unknown_methods_are_unimplemented(served: Served) -> None:
    error = await _failure(served.channel.unary_unary("/no.Such/Method")(b""))

    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("served", [Passing()], indirect=True)
async def test_a_fallback_is_asked_for_unknown_methods_only(served: Served) -> None:
    assert await served.channel.unary_unary("/no.Such/Method")(b"\0raw") == b"\0raw"
    assert (await served.kernel.GetInfo(INFO)).node == "node1"


async def test_a_service_may_be_added_while_serving() -> None:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        server, address = Server(OpenAccess()), f"unix:{folder}/s.sock"
        await server.start([address])
        channel = open_channel(address)

        name = server.serve(kernel_pb2_grpc.add_KernelServicer_to_server, KernelServicer())
        stub: Any = kernel_pb2_grpc.KernelStub(channel)

        assert name == "logos.kernel.v1.Kernel"
        assert (await stub.GetInfo(INFO)).node == "node1"
        await channel.close()
        await server.stop(0)


async def test_messages_of_sixteen_mebibytes_pass() -> None:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        made = Served(folder, fallback=Passing())
        await made.server.start([made.address])
        echo = made.channel.unary_unary("/no.Such/Method")

        assert len(await echo(bytes(MAX_MESSAGE_BYTES))) == MAX_MESSAGE_BYTES
        error = await _failure(echo(bytes(MAX_MESSAGE_BYTES + 1)))

        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await made.channel.close()
        await made.server.stop(0)


async def test_a_taken_address_is_an_error() -> None:
    first, second = Server(OpenAccess()), Server(OpenAccess())
    taken = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]

    with pytest.raises(AddressInUseError, match=f"127.0.0.1:{port}"):
        await first.start([f"127.0.0.1:{port}"])
    taken.close()
    await first.stop(0)
    await second.stop(0)


@asynccontextmanager
async def _watched(server: Server) -> AsyncIterator["asyncio.Queue[str]"]:
    """Keeps the sockets of a server; yields the reports on them."""
    told: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(server.keep_listening(told.put_nowait))
        yield told
        watching.cancel()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_module.server.WATCH_S", 0.01)


async def _asks(address: str) -> str:
    """Asks as a new client."""
    channel = open_channel(address)
    kernel: Any = kernel_pb2_grpc.KernelStub(channel)
    try:
        info = await kernel.GetInfo(INFO, timeout=60, wait_for_ready=True)
        return str(info.node)
    finally:
        await channel.close()


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("swept", ["a", "a/b", "a/b/s.sock"])
async def test_a_socket_that_was_removed_is_bound_again(tmp_path: Path, swept: str) -> None:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        (Path(folder) / "a" / "b").mkdir(parents=True)
        made = Served(f"{folder}/a/b")
        await made.server.start([made.address])
        assert (await made.kernel.GetInfo(INFO)).node == "node1"

        async with _watched(made.server) as told:
            for _ in range(2):
                (Path(folder) / swept).rename(tmp_path / secrets.token_hex(4))
                assert await _asks(made.address) == "node1"
            assert told.empty()

        assert (await made.kernel.GetInfo(INFO)).node == "node1", "calls go on where they were"
        assert (Path(folder) / "a").stat().st_mode & 0o777 == 0o700 or swept != "a"
        await made.channel.close()
        await made.server.stop(0)
        assert list((Path(folder) / "a" / "b").iterdir()) == []


@pytest.mark.usefixtures("often")
async def test_nothing_appears_where_a_moved_checkout_was() -> None:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        old, new = Path(folder) / "old", Path(folder) / "new"
        (old / "a" / "b").mkdir(parents=True)
        made = Served(f"{old}/a/b")
        await made.server.start([made.address])

        async with _watched(made.server) as told:
            old.rename(new)
            why = await told.get()
            assert f"{old}/a/b/s.sock was removed: " in why
            assert not old.exists()
            new.rename(old)
            assert await told.get() == "", "it is there again"

        assert await _asks(made.address) == "node1"
        await made.channel.close()
        await made.server.stop(0)


@pytest.mark.usefixtures("often")
async def test_the_socket_of_another_is_left_to_it(caplog: pytest.LogCaptureFixture) -> None:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        first, second = Served(folder), Served(folder)
        await first.server.start([first.address])
        await second.server.start([second.address])
        second.servicer.node = "node2"

        async with _watched(first.server) as told:
            assert await told.get() == f"{folder}/s.sock was replaced by another process"
            assert await _asks(first.address) == "node2"
            assert told.empty()
        await first.channel.close()
        await first.server.stop(0)

        assert await _asks(second.address) == "node2", "who ends takes only what is its own"
        assert [one.message for one in caplog.records].count("clients cannot connect") == 1
        await second.channel.close()
        await second.server.stop(0)


@pytest.mark.usefixtures("often")
async def test_a_folder_of_another_user_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        made = Served(folder)
        await made.server.start([made.address])
        monkeypatch.setattr("os.geteuid", lambda: 4711)

        async with _watched(made.server) as told:
            os.unlink(f"{folder}/s.sock")  # noqa: PTH108 -- as a sweeper does
            assert "belongs to another user" in await told.get()

        assert os.listdir(folder) == []  # noqa: PTH208 -- see above
        await made.channel.close()
        await made.server.stop(0)


async def test_health_is_what_it_was_set_to(served: Served) -> None:
    async def health() -> int:
        response = await served.health.Check(health_pb2.HealthCheckRequest(service=""))
        return int(response.status)

    assert await health() == health_pb2.HealthCheckResponse.NOT_SERVING
    await served.server.set_serving([""], serving=True)
    assert await health() == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_shows_the_services_of_the_moment(served: Served, version: str) -> None:
    method = served.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )

    async def ask(**request: Any) -> Any:
        call = method(iter([reflection_pb2.ServerReflectionRequest(**request)]))
        answer = await call.read()
        call.cancel()
        return answer

    def names(answer: Any) -> set[str]:
        return {one.name for one in answer.list_services_response.service}

    own = {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    kernel = "logos.kernel.v1.Kernel"
    assert names(await ask(list_services="")) == own
    served.server.reflection.replace([kernel], [describe([kernel])])
    assert names(await ask(list_services="")) == own | {kernel}
    for symbol in (kernel, f"{kernel}.GetInfo", *own):
        answer = await ask(file_containing_symbol=symbol)
        assert answer.file_descriptor_response.file_descriptor_proto, symbol
    served.server.reflection.replace([], [])
    answer = await ask(file_containing_symbol=kernel)
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_descriptors_come_imports_first() -> None:
    files = [one.name for one in describe(["logos.kernel.v1.Kernel"]).file]

    assert files == [
        "google/protobuf/timestamp.proto",
        "logos/kernel/v1/module.proto",
        "logos/kernel/v1/kernel.proto",
    ]
