"""The service that calls the methods of an interface."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final, Protocol

from logos.module.v1 import invocation_pb2 as pb
from logos.module.v1 import invocation_pb2_grpc as pb_grpc
from logos_module.contexts import Context
from logos_module.invocation.errors import InvalidArgsError
from logos_module.invocation.interface import Interface
from logos_module.server import AddToServer

MAX_KEY_BYTES: Final = 64


class Serves(Protocol):
    """What takes servicers: a `ModuleContext` or a `Server`."""

    def serve(self, add_to_server: AddToServer, servicer: Any) -> object: ...


def serve(interface: Interface, served: Serves) -> None:
    """Serves the methods of an interface."""
    served.serve(pb_grpc.add_InvocationServicer_to_server, Invocation(interface))


class Invocation(pb_grpc.InvocationServicer):
    """`logos.module.v1.Invocation` of a module."""

    def __init__(self, interface: Interface) -> None:
        self._interface = interface

    async def Invoke(self, request: pb.InvokeRequest, context: Context) -> pb.InvokeResponse:
        method = self._interface.find(request.method, streams=False)
        if len(request.idempotency_key.encode()) > MAX_KEY_BYTES:
            raise InvalidArgsError(f"idempotency_key: over {MAX_KEY_BYTES} bytes")
        result = await method.function(*method.read(request.args))
        return pb.InvokeResponse(value=method.returns.write(result))

    async def InvokeStream(
        self, request: pb.InvokeStreamRequest, context: Context
    ) -> AsyncIterator[pb.InvokeStreamResponse]:
        method = self._interface.find(request.method, streams=True)
        async with aclosing(method.function(*method.read(request.args))) as results:
            async for result in results:
                yield pb.InvokeStreamResponse(value=method.returns.write(result))

    async def DescribeInterface(
        self, request: pb.DescribeInterfaceRequest, context: Context
    ) -> pb.DescribeInterfaceResponse:
        return self._interface.describe()
