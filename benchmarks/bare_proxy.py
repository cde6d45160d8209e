"""A bare `grpc.aio` proxy of unary calls: the yardstick of the front door in kernel.py.

It passes bytes on to the socket of a module, with a credential as the front door does, and does
nothing else: `python -m benchmarks.bare_proxy ADDRESS ENDPOINT MODULE KERNEL_STATE`.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
from benchmarks.running import open_authorized


class Proxy(grpc.GenericRpcHandler):
    """Passes every method on."""

    def __init__(self, target: grpc.aio.Channel) -> None:
        self._target = target
        self._handlers: dict[str, Any] = {}

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        if method not in self._handlers:
            self._handlers[method] = grpc.unary_unary_rpc_method_handler(self._passing(method))
        return self._handlers[method]

    def _passing(self, method: str) -> Any:
        call: Any = self._target.unary_unary(method)

        async def passed(request: bytes, _context: Any) -> Any:
            return await call(request)

        return passed


async def serve(address: str, endpoint: str, module: str, state: str) -> None:
    """Serves until the process is ended."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Proxy(open_authorized(endpoint, module, Path(state))),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
