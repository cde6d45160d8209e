"""KER-14: what a server answers to calls that no client of ours would make."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc, registry_pb2, registry_pb2_grpc
from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_base.errors import ErrorKind, LogosError
from logos_client.channels import open_channel, write
from logos_module import interceptor
from logos_module.bulk import BulkField, BulkMethod
from logos_module.errors import abort_for, reason_of
from logos_module.interceptor import PassedHandler
from logos_module.logs import RateLimit
from logos_module.method_names import make_method_names_safe
from logos_module.server import Server
from open_access import OpenAccess
from raw_calls import call_raw
from streaming import send

GARBAGE = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
OTHER_TYPE = b"\x08\x01"
"""A number where these methods expect a text or a message."""
NOT_UTF8 = b"\x0a\x02\xc3\x28"

KERNEL = "/logos.kernel.v1.Kernel/GetInfo"
SESSION = "/logos.kernel.v1.Registry/Session"
RESOLVE = "/logos.kernel.v1.Registry/Resolve"
PUT = "/logos.storage.v1.Storage/Put"
LIST = "/logos.storage.v1.Storage/List"
GET = "/logos.storage.v1.Storage/Get"
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


Served = tuple[Server, grpc.aio.Channel, str]


class UnheardError(LogosError):
    kind = ErrorKind.NOT_FOUND
    reason = "UNHEARD"
    field = "module"


class Kernel(kernel_pb2_grpc.KernelServicer):
    """Has one of the two methods."""

    async def GetInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return kernel_pb2.GetInfoResponse(node="node1")


class Registry(registry_pb2_grpc.RegistryServicer):
    """Reads its requests within task groups."""

    async def Session(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        async with asyncio.TaskGroup(), asyncio.TaskGroup():
            async for _beat in requests:
                yield registry_pb2.SessionResponse()

    async def Resolve(self, request: Any, context: Any) -> Any:  # noqa: N802
        raise UnheardError(f"no such module: {request.module}")


class Storage(storage_pb2_grpc.StorageServicer):
    """Reads by its iterator, by its context, and in bulk."""

    bulk = {"Put": BulkMethod(request=BulkField(storage_pb2.PutRequest))}  # noqa: RUF012

    async def Put(self, requests: Any, context: Any) -> Any:  # noqa: N802
        while await context.read() is not grpc.aio.EOF:
            pass
        return storage_pb2.PutResponse()

    async def Get(self, request: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802
        await context.write(storage_pb2.GetResponse(data=b"one"))


class Passing(grpc.GenericRpcHandler):
    """Echoes the requests of every method, of any kind."""

    def service(self, handler_call_details: Any) -> Any:
        async def answer(request: bytes, context: Any) -> bytes:
            return request

        async def write(request: bytes, context: Any) -> None:
            await context.write(request)

        streams = handler_call_details.method.endswith("Stream")
        behaviour = write if streams else answer
        return PassedHandler(behaviour, request_streaming=False, response_streaming=streams)


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        made = Server(OpenAccess(), fallback=Passing())
        made.serve(kernel_pb2_grpc.add_KernelServicer_to_server, Kernel())
        made.serve(registry_pb2_grpc.add_RegistryServicer_to_server, Registry())
        made.serve(storage_pb2_grpc.add_StorageServicer_to_server, Storage())
        address = f"unix:{folder}/s.sock"
        await made.start([address])
        async with asyncio.timeout(60), open_channel(address) as channel:
            yield made, channel, address
        await made.stop(0)


@pytest.fixture
def channel(server: Served) -> grpc.aio.Channel:
    return server[1]


async def _answers(channel: grpc.aio.Channel, method: str, *messages: bytes) -> list[bytes]:
    """Calls a method with any number of messages, which on the wire every kind of method takes."""
    call = channel.stream_stream(method)()
    # An iterator of requests would lose the status of a call that ends during a write.
    if all([await write(call, message) for message in messages]):
        with suppress(asyncio.InvalidStateError):  # it has ended since
            await call.done_writing()
    answers = []
    while (answer := await call.read()) is not grpc.aio.EOF:
        answers.append(answer)
    return answers


async def _failure(channel: grpc.aio.Channel, method: str, *messages: bytes) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await _answers(channel, method, *messages)
    return failed.value.code().name, reason_of(failed.value)


@pytest.mark.parametrize(
    ("method", "messages"),
    [
        (KERNEL, [GARBAGE]),
        (RESOLVE, [OTHER_TYPE * 2000 + b"\x0a"]),
        (RESOLVE, [NOT_UTF8]),
        (GET, [GARBAGE]),
        (SESSION, [GARBAGE]),
        (SESSION, [b"", b"", NOT_UTF8[:2]]),
        (PUT, [GARBAGE]),
        (PUT, [b"\x12\x01a", b"\x12\xff"]),
        (HEALTH, [NOT_UTF8]),
        (REFLECTION, [GARBAGE]),
    ],
)
async def test_a_request_that_does_not_decode_is_the_callers_fault(
    channel: grpc.aio.Channel,
    method: str,
    messages: list[bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    sample = "grpc_server_malformed_total"
    before = REGISTRY.get_sample_value(sample, {"method": method}) or 0

    failure = await _failure(channel, method, *messages)

    assert failure == ("INVALID_ARGUMENT", "MALFORMED_REQUEST")
    assert REGISTRY.get_sample_value(sample, {"method": method}) == before + 1
    assert [line for line in caplog.records if line.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("method", [KERNEL, GET, HEALTH, "/no.Such/Method", "/no.Such/Stream"])
async def test_a_call_without_its_request_is_answered(
    channel: grpc.aio.Channel, method: str
) -> None:
    assert await _failure(channel, method) == ("INVALID_ARGUMENT", "MALFORMED_REQUEST")


async def test_what_a_stream_of_requests_has_been_answered_stays(channel: grpc.aio.Channel) -> None:
    call = await send(channel.stream_stream(SESSION)(), [b"", GARBAGE])

    assert await call.read() == b""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call.read()
    assert reason_of(failed.value) == "MALFORMED_REQUEST"


async def test_many_are_one_line_a_second(
    channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, now = interceptor.log_malformed, [1000.0]
    monkeypatch.setattr(log, "filters", [RateLimit(lambda: now[0])])

    for _ in range(20):
        await _failure(channel, KERNEL, GARBAGE)
    now[0] += 1
    await _failure(channel, KERNEL, GARBAGE)

    lines = [line for line in caplog.records if line.name == log.name]
    assert [vars(line)["left_out"] for line in lines] == [0, 19]
    assert {vars(line)["method"] for line in lines} == {KERNEL}


@pytest.mark.parametrize("method", [LIST, "/logos.kernel.v1.Kernel/GetStatus", SESSION + "s"])
async def test_a_method_that_is_not_there_is_unimplemented(
    server: Served, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    made, channel, _ = server
    made._table._fallback = None

    code, reason = await _failure(channel, method, b"")

    assert code == "UNIMPLEMENTED"
    assert reason == ("" if method == SESSION + "s" else "METHOD_UNIMPLEMENTED")
    assert [line for line in caplog.records if line.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("character", ["a", "\0", "é", "\U0001f600"])
async def test_a_long_text_in_an_error_does_not_hide_it(
    channel: grpc.aio.Channel, character: str
) -> None:
    request = registry_pb2.ResolveRequest(module=character * 20_000).SerializeToString()

    assert await _failure(channel, RESOLVE, request) == ("NOT_FOUND", "UNHEARD")


async def test_health_is_listed(server: Served) -> None:
    made, channel, _ = server
    health: Any = health_pb2_grpc.HealthStub(channel)
    await made.set_serving(["logos.kernel.v1.Kernel"], serving=True)

    listed = await health.List(health_pb2.HealthListRequest())

    assert {name: one.status for name, one in listed.statuses.items()} == {
        "": health_pb2.HealthCheckResponse.NOT_SERVING,
        "logos.kernel.v1.Kernel": health_pb2.HealthCheckResponse.SERVING,
    }


async def test_health_of_what_is_not_known(server: Served) -> None:
    made, channel, _ = server
    health: Any = health_pb2_grpc.HealthStub(channel)
    unknown = health_pb2.HealthCheckRequest(service="not.Yet")
    watch = health.Watch(unknown)

    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    assert (await _failure(channel, HEALTH, unknown.SerializeToString()))[0] == "NOT_FOUND"
    await made.set_serving(["not.Yet"], serving=True)
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


@pytest.mark.parametrize("path", [KERNEL.encode() + b"\xff", b"/\xc3\x28/\xed\xa0\x80", b"", b"/"])
async def test_a_method_name_may_be_any_bytes(server: Served, path: bytes) -> None:
    made, channel, address = server
    made._table._fallback = None

    for _ in range(3):
        status = await asyncio.to_thread(call_raw, address, path)
        assert status == grpc.StatusCode.UNIMPLEMENTED.value[0]

    assert await _answers(channel, KERNEL, b"")


async def test_other_bytes_are_decoded_as_strictly_as_before() -> None:
    make_method_names_safe()

    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode()
    with pytest.raises(UnicodeEncodeError):
        "\ud800".encode()


async def test_an_error_that_task_groups_wrap_is_the_one_that_was_raised() -> None:
    context = Ended()

    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(_fail_in_a_group(UnheardError("nobody")))
    with pytest.raises(grpc.aio.AbortError):
        await abort_for(context, raised.value, logging.getLogger())

    assert context.statuses == [grpc.StatusCode.NOT_FOUND]


class Ended:
    """Notes how a call was ended."""

    def __init__(self) -> None:
        self.statuses: list[grpc.StatusCode] = []

    async def abort_with_status(self, status: Any) -> Any:
        self.statuses.append(status.code)
        raise grpc.aio.AbortError


async def _fail_in_a_group(error: Exception) -> None:
    async with asyncio.TaskGroup():
        raise error
