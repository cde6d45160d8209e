"""A gRPC service with all four kinds of methods, made without generated code."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2

Bytes = wrappers_pb2.BytesValue

_KINDS = {
    "UnaryUnary": (False, False),
    "UnaryStream": (False, True),
    "StreamUnary": (True, False),
    "StreamStream": (True, True),
}
_FACTORIES = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def define(package: str) -> str:
    """Makes `<package>.Echo` known to this process; returns its full name."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package.replace('.', '/')}/echo.proto", package=package, syntax="proto3"
    )
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    service = file.service.add(name="Echo")
    for name, (request_streaming, response_streaming) in _KINDS.items():
        service.method.add(
            name=name,
            input_type=".google.protobuf.BytesValue",
            output_type=".google.protobuf.BytesValue",
            client_streaming=request_streaming,
            server_streaming=response_streaming,
        )
    descriptor_pool.Default().Add(file)
    return f"{package}.Echo"


def descriptors(service: str) -> bytes:
    """Returns the serialised FileDescriptorSet of a defined service."""
    file = descriptor_pool.Default().FindServiceByName(service).file
    described = descriptor_pb2.FileDescriptorSet()
    for one in (*file.dependencies, file):
        one.CopyToProto(described.file.add())
    return described.SerializeToString()


class Echo:
    """Answers with what it is sent, and with the epoch in the initial metadata."""

    def __init__(self, epoch: int = 0) -> None:
        self._epoch = str(epoch)
        self.last: tuple[Any, Any] = (None, ())
        """Who made the last unary call, and its metadata."""

    async def UnaryUnary(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.last = getattr(context, "caller", None), tuple(context.invocation_metadata())
        await context.send_initial_metadata((("epoch", self._epoch),))
        return request

    async def UnaryStream(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        for byte in request.value:
            yield Bytes(value=bytes([byte]))

    async def StreamUnary(self, requests: Any, context: Any) -> Any:  # noqa: N802
        size = 0
        async for request in requests:
            size += len(request.value)
        return Bytes(value=str(size).encode())

    async def StreamStream(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        async for request in requests:
            yield request


def adder(service: str) -> Callable[[Any, Any], None]:
    """Returns what generated code calls `add_EchoServicer_to_server`."""

    def add(servicer: Any, server: Any) -> None:
        handlers = {
            name: _FACTORIES[kind](
                getattr(servicer, name), Bytes.FromString, Bytes.SerializeToString
            )
            for name, kind in _KINDS.items()
            if hasattr(servicer, name)
        }
        server.add_registered_method_handlers(service, handlers)

    return add


def stub(channel: grpc.aio.Channel, service: str, method: str) -> Any:
    """Returns a callable for a method of an echo service."""
    request_streaming, response_streaming = _KINDS[method]
    kind = f"{_word(request_streaming)}_{_word(response_streaming)}"
    return getattr(channel, kind)(f"/{service}/{method}", Bytes.SerializeToString, Bytes.FromString)


def _word(is_streaming: bool) -> str:  # noqa: FBT001
    return "stream" if is_streaming else "unary"


async def forever() -> None:
    """Never returns; is cancelled."""
    await asyncio.Event().wait()
