"""Health as it is watched."""

import asyncio
from typing import Any

from grpc_health.v1 import health_pb2

from logos_module.health import HealthServicer

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Client:
    """A client of `Watch`; one that does not read leaves writes to it unfinished."""

    def __init__(self, *, reads: bool) -> None:
        self.reads = reads
        self.begun = asyncio.Event()
        self.seen: asyncio.Queue[Any] = asyncio.Queue()

    async def write(self, response: health_pb2.HealthCheckResponse) -> None:
        self.begun.set()
        if not self.reads:
            await asyncio.Event().wait()
        self.seen.put_nowait(response.status)


async def test_a_client_that_does_not_read_delays_no_change_and_no_other_client() -> None:
    health, idle, reader = HealthServicer(), Client(reads=False), Client(reads=True)
    request = health_pb2.HealthCheckRequest()
    await health.set("", NOT_SERVING)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        watches = [tasks.create_task(health.Watch(request, one)) for one in (idle, reader)]
        await idle.begun.wait()
        assert await reader.seen.get() == NOT_SERVING

        await health.set("", SERVING)

        assert await reader.seen.get() == SERVING
        for watch in watches:
            watch.cancel()
