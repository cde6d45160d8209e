"""A whole module: one service and its composition root. `logos_module` does the rest."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hello.v1 import hello_pb2, hello_pb2_grpc

from logos_base.errors import ErrorKind, LogosError
from logos_hello.page import serving
from logos_module import ModuleContext, run


class EmptyNameError(LogosError):
    """The request has no name."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "EMPTY_NAME"


class Greeter(hello_pb2_grpc.GreeterServicer):
    """`hello.v1.Greeter` of one node."""

    def __init__(self, greeting: str, node: str) -> None:
        self._greeting = greeting
        self._node = node

    async def Greet(  # noqa: N802  gRPC's spelling
        self, request: hello_pb2.GreetRequest, _context: Any
    ) -> hello_pb2.GreetResponse:
        """Greets; the harness turns exceptions into statuses with a reason."""
        if not request.name:
            raise EmptyNameError("name is empty", field="name")
        return hello_pb2.GreetResponse(text=f"{self._greeting}, {request.name}!", node=self._node)


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Serves while entered; the module is READY at the `yield`."""
    greeting = str(context.settings.get("greeting", "Hello"))
    servicer = Greeter(greeting, context.node)
    context.serve(hello_pb2_grpc.add_GreeterServicer_to_server, servicer)
    with serving(context.settings.typed("page", ""), greeting, context.node):
        yield


if __name__ == "__main__":
    sys.exit(run(node, package="logos_hello"))
