"""One aio gRPC server with health, reflection, our options and our interceptor."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from logos_base.errors import ErrorKind, LogosError
from logos_client.channels import SHARED_OPTIONS
from logos_module.access import Authorizer
from logos_module.bulk import BulkMethod
from logos_module.health import HealthServicer
from logos_module.interceptor import Gate, Interceptor
from logos_module.method_names import make_method_names_safe
from logos_module.reflection import Reflection
from logos_module.sockets import Socket, path_of, restore_folder

log = logging.getLogger(__name__)

WATCH_S: Final = 1.0
"""How often a server checks that its Unix sockets still exist."""

# Clients of ours ping every 20 s; a server that does not allow it answers too_many_pings.
_OPTIONS: Final = (
    *SHARED_OPTIONS,
    ("grpc.so_reuseport", 0),  # a taken port is an error, not a second listener
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

AddToServer = Callable[[Any, Any], None]
"""The generated `add_XServicer_to_server(servicer, server)`."""

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class AddressInUseError(LogosError):
    """The server cannot listen at the address."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ADDRESS_IN_USE"


class ServiceTable(grpc.GenericRpcHandler):
    """The methods of a server. Unlike gRPC's own table it may grow while serving.

    `fallback` serves methods that are not in the table.
    """

    def __init__(self, fallback: grpc.GenericRpcHandler | None = None) -> None:
        self._methods: dict[str, Any] = {}
        self._fallback = fallback
        self.services: list[str] = []

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """Called by generated code, like the method of gRPC's server."""
        self.services.append(service)
        self._methods.update({f"/{service}/{name}": value for name, value in handlers.items()})

    def carry_in_bulk(self, service: str, methods: Mapping[str, BulkMethod]) -> None:
        """Makes methods of a service read content as views and write it in pieces."""
        for name, bulk in methods.items():
            path = f"/{service}/{name}"
            self._methods[path] = bulk.applied_to(self._methods[path])

    def add_generic_rpc_handlers(self, handlers: Iterable[Any]) -> None:
        """Does nothing: generated code registers the same methods a second time here."""

    def service(self, handler_call_details: Any) -> Any:
        handler = self._methods.get(handler_call_details.method)
        if handler is None and self._fallback is not None:
            return self._fallback.service(handler_call_details)
        return handler


class Server:
    """A gRPC server on one or more addresses. NOT_SERVING until `set_serving`.

    `authorizer` decides on every call, including those that `fallback` serves.
    """

    def __init__(
        self, authorizer: Authorizer, *, fallback: grpc.GenericRpcHandler | None = None
    ) -> None:
        make_method_names_safe()
        self.gate = Gate()
        self._interceptor = Interceptor(self.gate, authorizer)
        self.reflection = Reflection()
        self._table = ServiceTable(fallback)
        self._health = HealthServicer()
        self._servers: list[grpc.aio.Server] = []
        """One, and one more for each lost socket: gRPC cannot add ports to a running server."""
        self._sockets: list[Socket] = []
        add_HealthServicer_to_server(self._health, self._table)
        self.reflection.add_to(self._table)

    def serve(self, add_to_server: AddToServer, servicer: Any) -> str:
        """Adds a service, also while serving; returns its full name.

        A servicer whose methods carry content lists them in a table `bulk`, by method name.
        """
        add_to_server(servicer, self._table)
        service = self._table.services[-1]
        self._table.carry_in_bulk(service, getattr(servicer, "bulk", {}))
        return service

    async def start(
        self, addresses: Iterable[str], tls: grpc.ServerCredentials | None = None
    ) -> None:
        """Listens at every address, or raises `AddressInUseError`.

        Args:
            addresses: `unix:/path` or `host:port`.
            tls: Certificate and key for addresses with a port (`tls.credentials_of`); without,
                messages there are not encrypted.
        """
        await self.set_serving([""], serving=False)
        server = self._new_server()
        self._servers.append(server)
        for address in addresses:
            path = path_of(address)
            if path is None:
                _bind(server, address, tls)
            else:
                socket = Socket(path)
                _bind_socket(server, socket)
                self._sockets.append(socket)
        await server.start()

    def _new_server(self) -> grpc.aio.Server:
        server = grpc.aio.server(interceptors=[self._interceptor], options=_OPTIONS)
        server.add_generic_rpc_handlers((self._table,))
        return server

    async def keep_listening(self, report: Callable[[str], None]) -> None:
        """Binds removed Unix sockets again. Runs until cancelled.

        `report` is called with the reason if a socket cannot be bound again, and with the
        empty string once it is.
        """
        known = ""
        while True:
            await asyncio.sleep(WATCH_S)
            troubles = [await self._keep(socket) for socket in self._sockets]
            trouble = "; ".join(filter(None, troubles))
            if trouble != known:
                known = trouble
                if trouble:
                    log.warning("clients cannot connect", extra={"why": trouble})
                report(trouble)

    async def _keep(self, socket: Socket) -> str:
        """Binds a socket again if it is gone; returns the reason if that fails, else empty."""
        if socket.is_ours():
            return ""
        if socket.is_there():
            return f"{socket.path} was replaced by another process"
        try:
            restore_folder(socket.path.parent)
        except OSError as error:
            return f"{socket.path} was removed: {error}"
        server = self._new_server()
        try:
            _bind_socket(server, socket)
        except (OSError, AddressInUseError):
            await server.stop(None)
            return f"{socket.path} was removed, and cannot be bound again"
        self._servers.append(server)
        await server.start()
        log.warning("socket was removed, listening again", extra={"path": str(socket.path)})
        return ""

    async def set_serving(self, services: Iterable[str], *, serving: bool) -> None:
        """Sets the health of services; the empty name is the server as a whole."""
        for service in services:
            await self._health.set(service, _SERVING if serving else _NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Refuses new calls, waits `grace_s` for those in flight, then ends them."""
        self.gate.drain()
        await self._health.enter_graceful_shutdown()
        await self.gate.wait_idle(grace_s)
        while self._sockets:
            self._sockets.pop().remove()
        for server in self._servers:
            await server.stop(None)


def _bind(server: grpc.aio.Server, address: str, tls: grpc.ServerCredentials | None = None) -> None:
    try:
        if tls is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, tls)
    except RuntimeError as error:
        raise AddressInUseError(f"cannot listen at {address}: {error}") from error
    if bound == 0:
        raise AddressInUseError(f"cannot listen at {address}")


def _bind_socket(server: grpc.aio.Server, socket: Socket) -> None:
    private = socket.private_path()
    try:
        _bind(server, f"unix:{private}")
        socket.claim(private)
    except (OSError, AddressInUseError) as error:
        raise AddressInUseError(f"cannot listen at unix:{socket.path}: {error}") from error
