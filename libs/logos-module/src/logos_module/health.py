"""`grpc.health.v1.Health` with `List`, which the PyPI package's servicer lacks."""

import asyncio
from typing import Any

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer as _HealthServicer


class HealthServicer(_HealthServicer):  # type: ignore[misc]  # it has no stubs
    """The health of a server and of its services, as they were `set`.

    A client of `Watch` that does not read delays nothing but its own call. In the package's
    servicer it holds the lock that `set` needs while it is written to.
    """

    def __init__(self) -> None:
        super().__init__()
        self._watches: set[asyncio.Event] = set()

    async def Watch(  # noqa: N802 -- as the contract names it
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> None:
        last, changed = None, asyncio.Event()
        self._watches.add(changed)
        try:
            while True:
                changed.clear()
                status = self._server_status.get(
                    request.service, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
                )
                if status != last:
                    await context.write(health_pb2.HealthCheckResponse(status=status))
                last = status
                await changed.wait()
        finally:
            self._watches.remove(changed)

    async def _set(self, service: str, status: Any) -> None:
        self._server_status[service] = status
        for changed in self._watches:
            changed.set()

    async def List(  # noqa: N802 -- as the contract names it
        self, _request: health_pb2.HealthListRequest, _context: Any
    ) -> health_pb2.HealthListResponse:
        response = health_pb2.HealthListResponse()
        for service, status in self._server_status.items():
            response.statuses[service].status = status
        return response
