"""`grpc.health.v1.Health` with `List`, which the PyPI package's servicer lacks."""

from typing import Any

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer as _HealthServicer


class HealthServicer(_HealthServicer):  # type: ignore[misc]  # it has no stubs
    """The health of a server and of its services, as they were `set`."""

    async def List(  # noqa: N802 -- as the contract names it
        self, _request: health_pb2.HealthListRequest, _context: Any
    ) -> health_pb2.HealthListResponse:
        response = health_pb2.HealthListResponse()
        for service, status in self._server_status.items():
            response.statuses[service].status = status
        return response
