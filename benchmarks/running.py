"""A testnet of one's own for the length of a measurement: own ports, own folder, no trace."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import grpc
from benchmarks.report import say

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from logos_client.channels import open_channel
from logos_client.token_file import read_token
from logos_module.process import prepare_process
from logos_testnet.layout import Layout
from logos_testnet.manifests import load_manifests
from logos_testnet.plan import Plan, process_plan
from logos_testnet.process_testnet import ProcessTestnet
from logos_testnet.processes import KERNEL, NodeProcess, find_processes
from logos_testnet.progress import silent
from logos_testnet.testnet import Started, node_of
from logos_testnet.topology import parse_topology

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from kernel_tokens import open_authorized  # noqa: E402 - found by the line above

TOPOLOGY: Final = ROOT / "deploy" / "topologies" / "small.toml"
FRONT_PORTS: Final = 53500
P2P_PORTS: Final = 54500


@dataclass(frozen=True, slots=True)
class Running:
    """A testnet that is READY and connected."""

    plan: Plan
    layout: Layout
    started: Started
    testnet: ProcessTestnet

    def front(self, node: str) -> grpc.aio.Channel:
        """A channel to the front door of a node."""
        return open_channel(node_of(self.plan, node).front, read_token(self.layout.operator_token))

    async def module(self, node: str, name: str) -> grpc.aio.Channel:
        """A channel to the socket of a module, past the front door."""
        async with self.front(node) as channel:
            status = await kernel_pb2_grpc.KernelStub(channel).GetStatus(
                kernel_pb2.GetStatusRequest(), timeout=5
            )
        endpoint = next(m.endpoint for m in status.modules if m.name == name)
        return open_authorized(endpoint, name, self.layout.node(node) / "kernel")

    def inner(self, node: str, caller: str) -> grpc.aio.Channel:
        """A channel to the inner address of a kernel, as a module has it."""
        socket = self.layout.sockets_of([(node, KERNEL)]) / node / f"{KERNEL}.sock"
        return open_authorized(f"unix:{socket}", KERNEL, self.layout.node(node) / "kernel", caller)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its commands: they bear its operator's token."""
        return {**os.environ, "LOGOS_TOKEN_FILE": str(self.layout.operator_token)}

    def processes(self) -> list[NodeProcess]:
        """Its kernels and modules."""
        return find_processes(self.layout.directory)


def planned(
    node_count: int | None, layout: Layout, path: Path = TOPOLOGY, ports_from: int = 0
) -> Plan:
    """The plan of a topology's file for so many nodes, or its own, on ports of its own."""
    text = path.read_text(encoding="utf-8")
    topology = replace(
        parse_topology(text, node_count=node_count),
        name="benchmark",
        front_port_base=FRONT_PORTS + ports_from,
        port_bases={"p2p": P2P_PORTS + ports_from},
    )
    return process_plan(topology, load_manifests(topology), None, layout)


@asynccontextmanager
async def running(
    node_count: int | None,
    path: Path = TOPOLOGY,
    ports_from: int = 0,
    prepare: Callable[[Plan, Layout], Awaitable[None]] | None = None,
) -> AsyncIterator[Running]:
    """Starts a testnet in a new folder under `.logos`, and removes all of it at the end.

    `ports_from`: what its ports are above those of others, so that two can run at once. `prepare`
    is called before it starts.
    """
    prepare_process()  # what a client written with the SDK does too
    (ROOT / ".logos").mkdir(exist_ok=True)
    layout = Layout(Path(tempfile.mkdtemp(prefix="benchmark-", dir=ROOT / ".logos")))
    testnet = ProcessTestnet(planned(node_count, layout, path, ports_from), layout)
    try:
        if prepare is not None:
            await prepare(testnet.plan, layout)
        say(f"starting {len(testnet.plan.nodes)} nodes")
        yield Running(testnet.plan, layout, await testnet.up(silent), testnet)
    finally:
        await testnet.down(silent, purge=True)
