"""Writing to a call that may end under the writer."""

import asyncio
import tempfile
from typing import Any

import grpc

from logos_base.errors import ErrorKind, LogosError
from logos_client.channels import open_channel, write
from logos_module.errors import reason_of
from logos_module.server import Server
from open_access import OpenAccess


class FullError(LogosError):
    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "FULL"


async def _put(requests: Any, context: Any) -> bytes:
    size = 0
    async for request in requests:
        size += len(request)
        if request == b"full":
            raise FullError("no room left")
    return str(size).encode()


def _add(_servicer: Any, server: Any) -> None:
    handler = grpc.stream_unary_rpc_method_handler(_put)
    server.add_registered_method_handlers("test.Store", {"Put": handler})


async def test_a_status_is_not_lost_to_a_write() -> None:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        server = Server(OpenAccess())
        server.serve(_add, None)
        await server.start([f"unix:{folder}/s.sock"])
        channel = open_channel(f"unix:{folder}/s.sock")
        put = channel.stream_unary("/test.Store/Put")

        async with asyncio.timeout(60):
            call = put()
            assert await write(call, b"1234")
            assert await write(call, b"")
            await call.done_writing()
            assert await call == b"4"
            for _ in range(20):
                call = put()
                await write(call, b"full")
                while await write(call, bytes(65536)):
                    pass
                try:
                    await call
                except grpc.aio.AioRpcError as error:
                    assert reason_of(error) == "FULL"  # noqa: PT017 -- of every one of the calls
                else:
                    raise AssertionError("it succeeded")

        await channel.close()
        await server.stop(0)
