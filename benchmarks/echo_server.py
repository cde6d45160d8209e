"""A bare `grpc.aio` server that sends back what it gets: the yardstick of gossip.py.

It runs in a process of its own, as modules do: `python -m benchmarks.echo_server ADDRESS`.
"""

import asyncio
import sys
from typing import Any

import grpc

METHOD = "/benchmark.Echo/Echo"


async def _echo(request: bytes, _context: Any) -> bytes:
    return request


async def serve(address: str) -> None:
    """Serves until the process is ended."""
    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(_echo)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("benchmark.Echo", {"Echo": handler}),)
    )
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
