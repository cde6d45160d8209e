"""Every call of a server, of any kind, is authorized once, before anything is read."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from logos_base.errors import ErrorKind, LogosError
from logos_client.channels import open_channel, write
from logos_module.access import Caller
from logos_module.errors import ModuleDrainingError, reason_of
from logos_module.interceptor import PassedHandler
from logos_module.server import Server

EMPTY = empty_pb2.Empty.SerializeToString(empty_pb2.Empty())
METHODS = [
    f"/test.{service}/{kind}"
    for service in ("Own", "Passed")
    for kind in ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")
]


class NotAllowedError(LogosError):
    kind = ErrorKind.FAILED_PRECONDITION
    reason = "NOT_ALLOWED"


class Without:
    """Refuses the methods that a test names, and counts the questions."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.broken: set[str] = set()
        self.asked: list[str] = []

    def authorize(self, caller: Caller, method: str) -> None:
        assert "user-agent" in dict(caller.metadata)
        self.asked.append(method)
        if method in self.broken:
            raise KeyError("secret")
        if method in self.refused:
            raise NotAllowedError("not for you")


class Passing(grpc.GenericRpcHandler):
    """Answers every method of `test.Passed`, and notes that it was called."""

    def __init__(self) -> None:
        self.served: list[str] = []

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method

        async def answer(_request: Any, _call: Any) -> bytes:
            self.served.append(method)
            return EMPTY

        async def write(_request: Any, call: Any) -> None:
            self.served.append(method)
            await call.write(EMPTY)

        streams = method.endswith("Stream")
        return PassedHandler(write if streams else answer, "/Stream" in method, streams)


class Own:
    """The same as a service of the server itself."""

    def __init__(self, served: list[str]) -> None:
        self._served = served

    def add_to(self, server: Any) -> None:
        def one(kind: str) -> Any:
            async def answer(_request: Any, _context: Any) -> bytes:
                self._served.append(f"/test.Own/{kind}")
                return EMPTY

            async def write(_request: Any, context: Any) -> None:
                self._served.append(f"/test.Own/{kind}")
                await context.write(EMPTY)

            makers = {
                "UnaryUnary": grpc.unary_unary_rpc_method_handler,
                "UnaryStream": grpc.unary_stream_rpc_method_handler,
                "StreamUnary": grpc.stream_unary_rpc_method_handler,
                "StreamStream": grpc.stream_stream_rpc_method_handler,
            }
            return makers[kind](write if kind.endswith("Stream") else answer)

        kinds = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")
        server.add_registered_method_handlers("test.Own", {kind: one(kind) for kind in kinds})


class Rig:
    def __init__(self, channel: grpc.aio.Channel, passing: Passing) -> None:
        self.channel = channel
        self.authorizer = Without()
        self.served = passing.served
        self.server = Server(self.authorizer, fallback=passing)
        self.server.serve(lambda own, server: own.add_to(server), Own(self.served))

    async def call(self, method: str) -> Any:
        call = self.channel.stream_stream(method)()
        # An iterator of requests would cancel a call that is refused before its first request.
        if await write(call, EMPTY):
            with suppress(asyncio.InvalidStateError):  # it has ended since
                await call.done_writing()
        return await call.read()

    async def refused(self, method: str) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await self.call(method)
        return reason_of(failed.value)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        async with open_channel(f"unix:{folder}/s.sock") as channel:
            made = Rig(channel, Passing())
            await made.server.start([f"unix:{folder}/s.sock"])
            yield made
            await made.server.stop(0)


@pytest.mark.parametrize("method", METHODS)
async def test_a_method_that_is_refused_is_not_served(rig: Rig, method: str) -> None:
    assert await rig.call(method) == EMPTY
    assert rig.authorizer.asked == [method]

    rig.authorizer.refused = {method}
    assert await rig.refused(method) == "NOT_ALLOWED"

    assert rig.served == [method]
    assert await rig.server.gate.wait_idle(60) == 0


@pytest.mark.parametrize("method", METHODS)
async def test_a_server_that_drains_refuses_whatever_its_kind(rig: Rig, method: str) -> None:
    rig.server.gate.drain()

    assert await rig.refused(method) == ModuleDrainingError.reason
    assert rig.served == []


@pytest.mark.parametrize("method", METHODS)
async def test_a_fault_of_the_authorizer_refuses_the_call_without_details(
    rig: Rig, method: str
) -> None:
    rig.authorizer.broken = {method}

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await rig.call(method)

    assert reason_of(failed.value) == "INTERNAL"
    assert "secret" not in str(failed.value.details())
    assert rig.served == []


async def test_health_is_asked_about_too(rig: Rig) -> None:
    health: Any = health_pb2_grpc.HealthStub(rig.channel)
    rig.authorizer.refused = {"/grpc.health.v1.Health/Check"}

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await health.Check(health_pb2.HealthCheckRequest())

    assert reason_of(failed.value) == "NOT_ALLOWED"
