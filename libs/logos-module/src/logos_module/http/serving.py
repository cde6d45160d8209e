"""Serves the application at one address, by HTTP/1.1."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from logos_module.server import AddressInUseError

READ_HEAD_BYTES: Final = 8 * 1024 * 1024
"""The gate refuses a head of over 64 KiB with its reason, which it can if it was read."""
GRACE_S: Final = 2
KEEP_ALIVE_S: Final = 30


class _Server(uvicorn.Server):
    """Leaves the signals of the process to the module, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listens.set()


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[int]:
    """Serves while it is entered; yields the port. Raises `AddressInUseError`.

    Args:
        app: The application.
        host: IP address.
        port: 0: any.
    """
    listening = _listening(host, port)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
            h11_max_incomplete_event_size=READ_HEAD_BYTES,
            http="h11",
        )
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listening]))
            await server.listens.wait()
            yield int(listening.getsockname()[1])
            server.should_exit = True
    finally:
        listening.close()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise AddressInUseError(f"cannot listen at {host}:{port}: {error.strerror}") from error
