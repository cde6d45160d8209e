"""The port behind which a testnet runs: as processes or in containers.

Scenarios and commands get a `Testnet` and do not know which.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from logos_testnet.client import NodeView
from logos_testnet.endpoints import Endpoints, NodeEndpoints
from logos_testnet.errors import UnknownNodeError
from logos_testnet.plan import NodePlan, Plan
from logos_testnet.progress import Report


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a module's log."""

    node: str
    module: str
    text: str


@dataclass(frozen=True, slots=True)
class Started:
    """What `up` achieved."""

    endpoints: Endpoints
    started: tuple[str, ...]
    """Nodes that were not running before."""
    seconds: float
    """From the first start to the last node READY and connected."""
    peers: dict[str, int]
    """Connections by node."""
    stopped: tuple[str, ...] = ()
    """Nodes that ran and are not in the plan."""


class Testnet(Protocol):
    """A testnet and its runtime."""

    @property
    def plan(self) -> Plan: ...

    @property
    def runtime(self) -> str:
        """`processes` or `containers`."""
        ...

    async def up(self, report: Report) -> Started:
        """Starts what is not running; returns when all is READY and connected.

        Nodes that are no longer in the plan are stopped; their state stays.

        Raises:
            PortInUseError: Before anything was started.
            NodeFailedError: A node did not become ready. All is left in place.
            EngineError: The container engine is missing or refused.
        """
        ...

    async def down(self, report: Report, *, purge: bool = False) -> bool:
        """Stops everything, and with `purge` forgets it too; False if nothing ran.

        Raises:
            NotStoppedError: Something remains, or a testnet of this name runs elsewhere.
                Nothing was forgotten.
        """
        ...

    async def running(self) -> frozenset[tuple[str, str]]:
        """Pairs of node and module (or `kernel`) that run now."""
        ...

    async def unplanned(self) -> dict[str, str]:
        """Nodes that run and are not in the plan, with the addresses of their front doors."""
        ...

    async def troubles(self) -> dict[str, str]:
        """What is wrong with nodes though they answer, by node; `up` mends it."""
        ...

    async def kill(self, node: str, module: str, number: int) -> None:
        """Signals a module's process, or the node's `kernel`, behind its supervisor's back."""
        ...

    async def memory_bytes(self) -> int:
        """Memory of everything that runs."""
        ...

    def log_lines(
        self, *, nodes: Sequence[str], module: str | None, tail: int, follow: bool
    ) -> AsyncIterator[LogLine]:
        """The newest `tail` lines of each log, then new ones as they come."""
        ...


Testnet.__test__ = False  # type: ignore[attr-defined]  # its name is no test's


def endpoints_of(plan: Plan, runtime: str, views: Sequence[NodeView]) -> Endpoints:
    """What is written of a testnet that is up; `views` in the order of its nodes."""
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
