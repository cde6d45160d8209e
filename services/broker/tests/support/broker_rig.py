"""A broker over an engine of a test, and its callers."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from process_engine import ProcessEngine, described

from logos.broker.v1 import broker_pb2 as pb
from logos.broker.v1.broker_pb2_grpc import BrokerStub
from logos_broker.node import Node, make_secrets
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import channel_to
from logos_module.capabilities.nodes import NodeCredential


@dataclass
class BrokerRig:
    """A broker that serves."""

    target: str
    secrets_dir: Path
    start_id: bytes

    def secret(self, node: str) -> Path:
        """The file with a node's secret."""
        return self.secrets_dir / node / "secret"

    def credential(self, node: str, secret: bytes | None = None) -> NodeCredential:
        """What a kernel of a node carries."""
        known = self.secret(node).read_bytes() if secret is None else secret
        return NodeCredential(node, secrets.token_bytes(16), known, self.start_id)

    @asynccontextmanager
    async def stub(self, node: str, secret: bytes | None = None) -> AsyncIterator[Any]:
        """A stub of the kernel of a node."""
        async with channel_to(self.target) as channel:
            yield BrokerStub(AuthorizedChannel(channel, self.credential(node, secret)))


@asynccontextmanager
async def running(engine: ProcessEngine, folder: Path) -> AsyncIterator[BrokerRig]:
    """Serves for the nodes that the engine's containers are of, at a socket in a folder."""
    nodes: dict[str, dict[str, Any]] = {}
    for service in engine.containers:
        node, _, module = service.partition("-")
        nodes.setdefault(node, {})[module] = described(service)
    target, start_id, end = f"unix:{folder}/b.sock", secrets.token_bytes(16), asyncio.Event()
    secrets_dir = folder / "secrets"
    node_ = Node(nodes, engine, make_secrets(secrets_dir, nodes), start_id)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(node_.serve(target, end))
        async with channel_to(target) as channel:
            stub: Any = BrokerStub(channel)
            await stub.GetBroker(pb.GetBrokerRequest(), wait_for_ready=True)
        try:
            yield BrokerRig(target, secrets_dir, start_id)
        finally:
            end.set()
