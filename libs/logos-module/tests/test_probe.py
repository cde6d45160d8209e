"""The health probe against a real gRPC server."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from logos_module import probe

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def target() -> AsyncIterator[str]:
    """A server that as a whole serves, with one service that does not."""
    health = HealthServicer()
    await health.set("", SERVING)
    await health.set("logos.kernel.v1.Kernel", SERVING)
    await health.set("logos.storage.v1.Storage", NOT_SERVING)
    server = grpc.aio.server()
    add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(0)


@pytest.mark.parametrize(
    ("service", "serving"),
    [
        ("", True),
        ("logos.kernel.v1.Kernel", True),
        ("logos.storage.v1.Storage", False),
        ("logos.unheard.v1.Of", False),
    ],
)
async def test_distinguishes_serving_from_not_serving(
    target: str, service: str, *, serving: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "DEADLINE_S", 60.0)

    assert await asyncio.to_thread(probe.is_serving, target, service) is serving


async def test_a_server_that_accepts_and_says_nothing_is_not_serving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "DEADLINE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert await asyncio.to_thread(probe.is_serving, address) is False


async def test_an_address_without_a_server_is_not_serving() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        assert await asyncio.to_thread(probe.is_serving, address) is False


async def test_runs_without_any_package(target: str) -> None:
    program = str(Path(probe.__file__))

    def run(service: str) -> int:
        return subprocess.run(
            [sys.executable, "-I", "-S", program, service, target], check=False
        ).returncode

    async with asyncio.timeout(60):
        while await asyncio.to_thread(run, ""):  # it gives a busy machine two seconds
            pass
    assert await asyncio.to_thread(run, "logos.storage.v1.Storage") == 1
