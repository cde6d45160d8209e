"""A topology with every address filled in, for one runtime.

Two planners, one result: `process_plan` (loopback ports, Unix sockets) and
`container_plan` (one network for the modules of a node, one for its front door,
one between the mixnets).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from logos_base.manifest import Manifest
from logos_testnet.manifests import FoundManifest
from logos_testnet.toml_text import to_toml
from logos_testnet.topology import NodeSpec, Topology

NETWORK_MODULE: Final = "mixnet"
MAX_BOOTSTRAP: Final = 4
CONTAINER_FRONT_PORT: Final = 17000
CONTAINER_GRPC_PORT: Final = 7000
CONTAINER_P2P_PORT: Final = 18000

# How the /16 of a topology is cut up. Docker gives each network a gateway, the
# first address; modules stand from the second on.
_MODULE_NETS: Final = (16, 28)  # third byte of the first, prefix
_FRONT_NETS: Final = (64, 29)
_FIRST_MESH_HOST: Final = 10


@dataclass(frozen=True, slots=True)
class ModulePlan:
    """One module of one node."""

    manifest: Manifest
    manifest_text: str
    settings: Mapping[str, Any]
    image: str | None = None
    address: IPv4Address | None = None
    """On the node's own network; containers only."""


@dataclass(frozen=True, slots=True)
class Networks:
    """A node's networks; containers only."""

    modules: IPv4Network
    front: IPv4Network
    kernel: IPv4Address
    front_kernel: IPv4Address
    mesh: IPv4Address


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node."""

    name: str
    front_port: int
    """Its front door on 127.0.0.1."""
    p2p_address: str
    """Multiaddress at which other nodes reach it."""
    modules: tuple[ModulePlan, ...]
    networks: Networks | None = None

    @property
    def front(self) -> str:
        """gRPC target of the front door."""
        return f"127.0.0.1:{self.front_port}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One testnet."""

    topology: Topology
    runtime: str
    """What a profile calls it: `process` or `external`."""
    nodes: tuple[NodePlan, ...]
    seed: int | None = None

    def profile(self, node: NodePlan) -> str:
        """Writes the profile that the node's kernel reads."""
        lines = [
            "# Written by `./logos up`; changes are lost.",
            "schema = 1",
            f"testnet = {to_toml(self.topology.name)}",
            f"node = {to_toml(node.name)}",
            f"runtime = {to_toml(self.runtime)}",
        ]
        for module in node.modules:
            name = module.manifest.name
            lines += ["", f"[modules.{name}]", f'manifest = "{name}.toml"']
            if module.settings:
                lines += ["", f"[modules.{name}.settings]"]
            lines += [f"{key} = {to_toml(value)}" for key, value in module.settings.items()]
        return "\n".join(lines) + "\n"


def told_count(plan: Plan) -> str:
    """Why a node is stopped that is not in the plan."""
    count = len(plan.nodes)
    return f"the testnet has {count} {'node' if count == 1 else 'nodes'} now"


def process_plan(
    topology: Topology, manifests: Mapping[str, FoundManifest], seed: int | None
) -> Plan:
    """Plans a testnet of local processes."""
    addresses = [
        f"/ip4/127.0.0.1/tcp/{topology.p2p_port_base + node.index}" for node in topology.nodes
    ]
    nodes = tuple(
        NodePlan(
            node.name,
            topology.front_port_base + node.index,
            addresses[node.index - 1],
            _modules(topology, node, manifests, addresses, seed=seed),
        )
        for node in topology.nodes
    )
    return Plan(topology, "process", nodes, seed)


def container_plan(
    topology: Topology, manifests: Mapping[str, FoundManifest], seed: int | None
) -> Plan:
    """Plans a testnet of containers."""
    networks = [_networks(topology.subnet, node.index) for node in topology.nodes]
    addresses = [f"/ip4/{nets.mesh}/tcp/{CONTAINER_P2P_PORT}" for nets in networks]
    nodes = tuple(
        NodePlan(
            node.name,
            topology.front_port_base + node.index,
            addresses[node.index - 1],
            _modules(
                topology,
                node,
                manifests,
                addresses,
                seed=seed,
                networks=networks[node.index - 1],
            ),
            networks[node.index - 1],
        )
        for node in topology.nodes
    )
    return Plan(topology, "external", nodes, seed)


def mesh_network(topology: Topology) -> IPv4Network:
    """The network between the nodes."""
    return IPv4Network((topology.subnet.network_address, 24))


def _networks(subnet: IPv4Network, index: int) -> Networks:
    modules = _nth(subnet, *_MODULE_NETS, index)
    front = _nth(subnet, *_FRONT_NETS, index)
    return Networks(
        modules=modules,
        front=front,
        kernel=modules.network_address + 2,
        front_kernel=front.network_address + 2,
        mesh=subnet.network_address + _FIRST_MESH_HOST + index,
    )


def _nth(subnet: IPv4Network, third_byte: int, prefix: int, index: int) -> IPv4Network:
    first = int(subnet.network_address) + third_byte * 256
    return IPv4Network((first + index * 2 ** (32 - prefix), prefix))


def _modules(
    topology: Topology,
    node: NodeSpec,
    manifests: Mapping[str, FoundManifest],
    addresses: list[str],
    *,
    seed: int | None,
    networks: Networks | None = None,
) -> tuple[ModulePlan, ...]:
    plans = []
    for position, module in enumerate(node.modules):
        settings = dict(module.settings)
        if module.name == NETWORK_MODULE:
            settings |= {
                "listen": [addresses[node.index - 1]],
                "bootstrap": _bootstrap(node.index, addresses),
                "target_peers": topology.target_peers,
            }
            if seed is not None:
                settings["seed"] = seed
        found = manifests[module.name]
        address = None if networks is None else networks.kernel + 1 + position
        plans.append(ModulePlan(found.manifest, found.text, settings, module.image, address))
    return tuple(plans)


def _bootstrap(index: int, addresses: list[str]) -> list[str]:
    """Up to four nodes with lower numbers; the first node lists the second."""
    if index == 1:
        return addresses[1:2]
    lower = addresses[: index - 1]
    return lower[-MAX_BOOTSTRAP:]
