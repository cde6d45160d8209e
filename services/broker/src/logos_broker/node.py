"""The composition root: the engine, and a server for kernels."""

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from logos.broker.v1.broker_pb2_grpc import add_BrokerServicer_to_server
from logos_base.errors import ConfigError, LogosError
from logos_broker import config
from logos_broker.core.ports import Engine
from logos_broker.net.engine import open_engine
from logos_broker.operations.containers import Containers
from logos_broker.rpc.broker import BrokerServicer
from logos_module import logs
from logos_module.capabilities.joining import JOIN_SECRET_BYTES
from logos_module.capabilities.nodes import START_BYTES, NodeAuthorizer
from logos_module.process import prepare_process, stopping_signals
from logos_module.server import Server

log = logging.getLogger(__name__)

OK: Final = 0
REFUSED: Final = 2
"""Wrong configuration, no engine, taken address: nothing was served."""

FREE: Final = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.",
    "/logos.broker.v1.Broker/GetBroker",
)
"""Methods that need no proof: they say nothing of containers."""


def run() -> int:
    """Runs the broker until SIGTERM or SIGINT; returns the exit code."""
    prepare_process()
    try:
        settings = config.parse(os.environ)
        logs.configure("broker", settings.log_level)
        return asyncio.run(_live(settings))
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{error.reason}: {problem}\n")
    except LogosError as error:
        sys.stderr.write(f"{error.reason}: {error}\n")
    return REFUSED


class Node:
    """The rooms of a broker, joined."""

    def __init__(
        self, nodes: config.Nodes, engine: Engine, secrets_of: dict[str, bytes], start_id: bytes
    ) -> None:
        self.containers = Containers(nodes, engine)
        self.server = Server(NodeAuthorizer(start_id, secrets_of.get, FREE))
        servicer = BrokerServicer(self.containers, start_id)
        self._service = self.server.serve(add_BrokerServicer_to_server, servicer)

    async def serve(self, listen: str, end: asyncio.Event) -> None:
        """Serves at an address until `end` is set."""
        async with asyncio.TaskGroup() as tasks:
            changes = tasks.create_task(self.containers.changes.run())
            try:
                await self.server.start([listen])
                await self.server.set_serving(["", self._service], serving=True)
                await end.wait()
            finally:
                changes.cancel()
                await self.server.stop(0)


async def _live(settings: config.Config) -> int:
    engine = await open_engine(settings.engine)
    given = make_secrets(settings.secrets_dir, settings.nodes)
    end = asyncio.Event()
    node = Node(settings.nodes, engine, given, secrets.token_bytes(START_BYTES))
    log.info("broker started", extra={"nodes": sorted(settings.nodes)})
    with stopping_signals(end.set):
        await node.serve(settings.listen, end)
    log.info("broker stopped")
    return OK


def make_secrets(folder: Path, nodes: Iterable[str]) -> dict[str, bytes]:
    """Makes the secrets that are missing, and reads them.

    Readable by all that see the folder of a node: the broker, and the kernel of that node, which
    is another user.
    """
    found = {}
    for node in nodes:
        path = folder / node / "secret"
        secret = path.read_bytes() if path.exists() else b""
        if len(secret) != JOIN_SECRET_BYTES:
            secret = secrets.token_bytes(JOIN_SECRET_BYTES)
            path.parent.mkdir(parents=True, exist_ok=True)
            written = path.with_name("secret.new")
            written.write_bytes(secret)
            written.chmod(0o444)
            written.replace(path)
        found[node] = secret
    return found
