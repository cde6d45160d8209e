"""The interface of a testnet, whether it runs as processes or in containers.

Scenarios and commands get a `Testnet` and do not depend on its runtime.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import grpc

from logos_client.channels import channel_to
from logos_testnet.client import NodeView
from logos_testnet.endpoints import Endpoints, NodeEndpoints
from logos_testnet.errors import UnknownNodeError
from logos_testnet.plan import NodePlan, Plan
from logos_testnet.progress import Report

ISOLATED: Final = "it is isolated"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a module's log."""

    node: str
    module: str
    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """The result of `up`."""

    endpoints: Endpoints
    started: tuple[str, ...]
    """Nodes that were not running before."""
    seconds: float
    """From the first start to the last node READY and connected."""
    peers: dict[str, int]
    """Connections by node."""
    stopped: tuple[str, ...] = ()
    """Nodes that ran but are not in the plan."""


class Testnet(Protocol):
    """A testnet and its runtime."""

    @property
    def plan(self) -> Plan: ...

    @property
    def runtime(self) -> str:
        """`processes` or `containers`."""
        ...

    @property
    def bearer(self) -> str | None:
        """The token that its nodes accept as that of an admin; None before the first start.

        Raises:
            TokenFileError: The file is another user's, or holds something else.
        """
        ...

    async def up(self, report: Report) -> Started:
        """Starts nodes that do not run; returns when all are READY and connected.

        Nodes that are no longer in the plan are stopped; their state is kept.

        Raises:
            PortInUseError: A port is in use. Nothing was started.
            NodeFailedError: A node did not become ready. Everything keeps running.
            EngineError: The container engine is missing, or a command failed.
        """
        ...

    async def start_app(self, report: Report) -> str | None:
        """Starts the Logos App if it does not run; returns a one-time link to it.

        None if the topology has no port for it. `down` stops it.

        Raises:
            PortInUseError: Another program holds its port.
            AppFailedError: It did not start.
            EngineError: The container engine is missing, or a command failed.
        """
        ...

    async def app_link(self) -> str | None:
        """Returns another link to the app; None if it does not run. Raises as `start_app`."""
        ...

    async def down(self, report: Report, *, purge: bool = False) -> bool:
        """Stops everything, and with `purge` removes its state; returns False if nothing ran.

        Raises:
            NotStoppedError: Something still runs, or a testnet of this name runs elsewhere.
                No state was removed.
        """
        ...

    async def running(self) -> frozenset[tuple[str, str]]:
        """Returns pairs of node and module (or `kernel`) that run."""
        ...

    async def unplanned(self) -> dict[str, str]:
        """Returns nodes that run but are not in the plan, with their front doors' addresses."""
        ...

    async def troubles(self) -> dict[str, str]:
        """Returns faults of nodes that answer, by node; `up` repairs them."""
        ...

    async def kill(self, node: str, module: str, number: int) -> None:
        """Sends a signal to a module's process, or to the node's `kernel`."""
        ...

    async def isolate(self, node: str) -> None:
        """Cuts a node off from all others; its front door answers on. Idempotent.

        Processes: its network module closes and refuses all connections. Containers: the
        engine takes that module off the network between nodes, and nothing tells the others.

        Raises:
            UnknownNodeError: There is no such node.
            EngineError: The container engine is missing, or a command failed.
            grpc.aio.AioRpcError: The node does not answer.
        """
        ...

    async def heal(self, node: str) -> None:
        """Ends an isolation, as `up` does too. Idempotent; raises as `isolate` does."""
        ...

    async def isolated(self) -> frozenset[str]:
        """Returns the running nodes that are cut off."""
        ...

    async def memory_bytes(self) -> int:
        """Returns the memory of everything that runs."""
        ...

    def log_lines(
        self, *, nodes: Sequence[str], module: str | None, tail: int, follow: bool
    ) -> AsyncIterator[LogLine]:
        """Yields the newest `tail` lines of each log; with `follow`, new ones as they come."""
        ...


Testnet.__test__ = False  # type: ignore[attr-defined]  # its name is no test's


def endpoints_of(plan: Plan, runtime: str, views: Sequence[NodeView]) -> Endpoints:
    """Returns the endpoints of a testnet that is up; `views` in the order of its nodes."""
    nodes = tuple(
        NodeEndpoints(
            name=node.name,
            kernel=node.front,
            modules=tuple(module.manifest.name for module in node.modules),
            peer_id=seen.peer_id,
            p2p_address=node.p2p_address,
        )
        for node, seen in zip(plan.nodes, views, strict=True)
    )
    return Endpoints(plan.topology.name, runtime, plan.seed, nodes)


def node_of(plan: Plan, name: str) -> NodePlan:
    """Finds a node by name.

    Raises:
        UnknownNodeError: There is none.
    """
    for node in plan.nodes:
        if node.name == name:
            return node
    names = ", ".join(node.name for node in plan.nodes)
    raise UnknownNodeError(f"{plan.topology.name} has no node {name}; it has {names}")


@asynccontextmanager
async def front_door(testnet: Testnet, node: str) -> AsyncIterator[grpc.aio.Channel]:
    """Opens a channel to a node's front door whose calls bear the operator's token."""
    async with channel_to(node_of(testnet.plan, node).front, testnet.bearer) as channel:
        yield channel
