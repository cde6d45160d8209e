"""A topology with every address filled in, for one runtime.

Two planners, one result: `process_plan` (loopback ports, Unix sockets) and
`container_plan` (one network for the modules of a node, one for its front door,
and one between the nodes).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Final

from logos_base.manifest import Manifest
from logos_base.needs import METRICS, Needs
from logos_testnet.agreement import port_base
from logos_testnet.derived import Placement, derive
from logos_testnet.errors import TopologyError
from logos_testnet.layout import Layout
from logos_testnet.manifests import FoundManifest
from logos_testnet.toml_text import to_toml
from logos_testnet.topology import ModuleSpec, NodeSpec, Topology

CONTAINER_FRONT_PORT: Final = 17000
CONTAINER_METRICS_PORT: Final = 9090
CONTAINER_GRPC_PORT: Final = 7000
CONTAINER_PUBLIC_GENESIS: Final = "/genesis/public"
CONTAINER_PRIVATE_GENESIS: Final = "/genesis/private"
CONTAINER_JOIN: Final = "/join"
"""Parent of the folders with join secrets, named by a module's position; the image has them."""
_LOOPBACK: Final = IPv4Address("127.0.0.1")

# How the /16 of a topology is cut up. Docker gives each network a gateway, the
# first address; kernel and modules follow.
_MODULE_NETS: Final = (16, 28)  # third byte of the first, prefix
_FRONT_NETS: Final = (64, 29)
_BROKER_NET: Final = 96  # third byte; the broker, and then the kernels from the tenth address on
_FIRST_MESH_HOST: Final = 10
MAX_MODULES: Final = 12
"""Of a node in containers: its network has 16 addresses."""
MAX_PAGES: Final = 3
"""Modules of a node in containers that serve a page: the front door's network has 8 addresses."""


@dataclass(frozen=True, slots=True)
class ModulePlan:
    """One module of one node."""

    manifest: Manifest
    manifest_text: str
    settings: Mapping[str, Any]
    image: str | None = None
    manifest_path: Path | None = None
    """Where its kernel reads the manifest; None: a copy beside the profile."""
    address: IPv4Address | None = None
    """On the node's own network; containers only."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Ports at which it listens in addition to its gRPC address, by name."""
    panel: str = ""
    """Where the app reaches its page, as host and port; empty if it has none."""
    front_address: IPv4Address | None = None
    """On the network of its node's front door, where it has a page there; containers only."""
    join_secret: str | None = None
    """Path of the file with its join secret, for it and its kernel alike; None: the kernel's
    default."""
    wanted: int = 0
    """The number that its figure must reach (`Needs.ready`); 0: none."""
    supervision: Mapping[str, Any] = field(default_factory=dict)
    """Keys `restart` and `group` of the profile."""

    @property
    def name(self) -> str:
        """The module's name."""
        return self.manifest.name


@dataclass(frozen=True, slots=True)
class Networks:
    """A node's networks; containers only."""

    modules: IPv4Network
    front: IPv4Network
    kernel: IPv4Address
    front_kernel: IPv4Address
    broker_kernel: IPv4Address
    mesh: IPv4Address
    front_app: IPv4Address


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node."""

    name: str
    front_port: int
    """Its front door on 127.0.0.1."""
    p2p_address: str
    """Multiaddress for other nodes; empty if it has none."""
    modules: tuple[ModulePlan, ...]
    networks: Networks | None = None
    metrics_port: int | None = None
    """Where its kernel gives the metrics of the node on 127.0.0.1; None: nowhere."""

    @property
    def front(self) -> str:
        """gRPC target of the front door."""
        return f"127.0.0.1:{self.front_port}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One testnet."""

    topology: Topology
    runtime: str
    """As in profiles: `process`, `docker` or `external`."""
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
            *(f"{key} = {to_toml(table)}" for key, table in self.topology.supervision.items()),
        ]
        for module in node.modules:
            name = module.manifest.name
            path = module.manifest_path or f"{name}.toml"
            lines += ["", f"[modules.{name}]", f"manifest = {to_toml(str(path))}"]
            if module.join_secret is not None:
                lines.append(f"join_secret = {to_toml(module.join_secret)}")
            lines += [f"{key} = {to_toml(value)}" for key, value in module.supervision.items()]
            if module.settings:
                lines += ["", f"[modules.{name}.settings]"]
            lines += [f"{key} = {to_toml(value)}" for key, value in module.settings.items()]
        return "\n".join(lines) + "\n"


def node_count_text(plan: Plan) -> str:
    """Returns the reason why a node that is not in the plan is stopped."""
    count = len(plan.nodes)
    return f"the testnet has {count} {'node' if count == 1 else 'nodes'} now"


def process_plan(
    topology: Topology,
    manifests: Mapping[str, FoundManifest],
    seed: int | None,
    layout: Layout,
) -> Plan:
    """Plans a testnet of local processes, in the folders of `layout`."""

    def placement(node: NodeSpec, module: ModuleSpec) -> Placement:
        manifest = manifests[module.name].manifest
        ports = {
            name: port_base(topology, name, manifest) + node.index for name in manifest.needs.ports
        }
        public = layout.public_genesis(module.name)
        private = layout.private_genesis(node.name, module.name)
        return Placement(_LOOPBACK, ports, str(public), str(private))

    return Plan(topology, "process", _nodes(topology, manifests, placement, seed), seed)


def container_plan(
    topology: Topology, manifests: Mapping[str, FoundManifest], seed: int | None
) -> Plan:
    """Plans a testnet of containers.

    Raises:
        TopologyError: A node has more modules, or pages, than its networks have addresses.
    """
    crowded = [node.name for node in topology.nodes if len(node.modules) > MAX_MODULES]
    if crowded:
        raise TopologyError(
            [f"{name}: in containers, a node has at most {MAX_MODULES} modules" for name in crowded]
        )

    fronts = {
        node.name: _front_addresses(node, manifests, _networks(topology.subnet, node.index))
        for node in topology.nodes
    }

    def placement(node: NodeSpec, module: ModuleSpec) -> Placement:
        needs = manifests[module.name].manifest.needs
        networks = _networks(topology.subnet, node.index)
        host = networks.mesh if needs.is_on_mesh else _own_address(networks, node, module)
        front, hosts = fronts[node.name].get(module.name), {}
        if front is not None and needs.panel is not None:
            hosts = {needs.panel.port: front}
        genesis = CONTAINER_PUBLIC_GENESIS, CONTAINER_PRIVATE_GENESIS
        return Placement(host, needs.ports, *genesis, hosts)

    nodes = tuple(
        _contained(node, spec, _networks(topology.subnet, spec.index), fronts[spec.name])
        for node, spec in zip(
            _nodes(topology, manifests, placement, seed), topology.nodes, strict=True
        )
    )
    return Plan(topology, "docker" if topology.has_broker else "external", nodes, seed)


def _nodes(
    topology: Topology,
    manifests: Mapping[str, FoundManifest],
    placement: Callable[[NodeSpec, ModuleSpec], Placement],
    seed: int | None,
) -> tuple[NodePlan, ...]:
    """Plans the nodes, except what only containers have."""
    placements: dict[str, dict[str, Placement]] = {}
    for node in topology.nodes:
        for module in node.modules:
            placements.setdefault(module.name, {})[node.name] = placement(node, module)

    def planned(node: NodeSpec, module: ModuleSpec) -> ModulePlan:
        found, places = manifests[module.name], placements[module.name]
        needs = found.manifest.needs
        given = derive(needs, node.name, places, target_peers=topology.target_peers, seed=seed)
        wanted = 0
        if needs.ready is not None:
            others = min(len(places) - 1, topology.target_peers)
            wanted = others if needs.ready.at_least is None else needs.ready.at_least
        return ModulePlan(
            found.manifest,
            found.text,
            {**needs.defaults, **module.settings, **given},
            module.image,
            found.path,
            ports=places[node.name].ports,
            panel=_panel(needs, places[node.name]),
            wanted=wanted,
            supervision=module.supervision,
        )

    def reached_at(node: NodeSpec) -> str:
        for module in node.modules:
            needs = manifests[module.name].manifest.needs
            if needs.is_on_mesh and needs.ports:
                return placements[module.name][node.name].multiaddress(next(iter(needs.ports)))
        return ""

    metrics_base = topology.port_bases.get(METRICS)
    return tuple(
        NodePlan(
            node.name,
            topology.front_port_base + node.index,
            reached_at(node),
            tuple(planned(node, module) for module in node.modules),
            metrics_port=None if metrics_base is None else metrics_base + node.index,
        )
        for node in topology.nodes
    )


def _panel(needs: Needs, placement: Placement) -> str:
    """Returns where a module's page is; empty if it has none."""
    if needs.panel is None:
        return ""
    return needs.panel.address or placement.address(needs.panel.port)


def _front_addresses(
    node: NodeSpec, manifests: Mapping[str, FoundManifest], networks: Networks
) -> dict[str, IPv4Address]:
    """Returns the addresses of modules that serve a page: they follow the app's (ADR 30)."""
    panels = {each.name: manifests[each.name].manifest.needs.panel for each in node.modules}
    serving = [name for name, panel in panels.items() if panel is not None and panel.port]
    if len(serving) > MAX_PAGES:
        what = f"in containers, at most {MAX_PAGES} modules of a node serve a page"
        raise TopologyError([f"{node.name}: {what}, not {len(serving)}"])
    return {name: networks.front_app + at for at, name in enumerate(serving, start=1)}


def _contained(
    node: NodePlan, spec: NodeSpec, networks: Networks, fronts: Mapping[str, IPv4Address]
) -> NodePlan:
    """Adds networks to a node and addresses to its modules."""
    modules = tuple(
        replace(
            module,
            manifest_path=None,
            address=_own_address(networks, spec, given),
            front_address=fronts.get(module.name),
            join_secret=f"{CONTAINER_JOIN}/{position}/secret",
        )
        for position, (module, given) in enumerate(
            zip(node.modules, spec.modules, strict=True), start=1
        )
    )
    return replace(node, modules=modules, networks=networks)


def _own_address(networks: Networks, node: NodeSpec, module: ModuleSpec) -> IPv4Address:
    """Returns a module's address on the network of its node: they follow the kernel's."""
    return networks.kernel + 1 + node.modules.index(module)


def mesh_network(topology: Topology) -> IPv4Network:
    """Returns the network between the nodes."""
    return IPv4Network((topology.subnet.network_address, 24))


def broker_network(topology: Topology) -> IPv4Network:
    """Returns the network between the broker and the kernels."""
    return IPv4Network((int(topology.subnet.network_address) + _BROKER_NET * 256, 24))


def broker_address(topology: Topology) -> IPv4Address:
    """Returns the address of the broker, on that network."""
    return broker_network(topology).network_address + 2


def _networks(subnet: IPv4Network, index: int) -> Networks:
    modules = _nth(subnet, *_MODULE_NETS, index)
    front = _nth(subnet, *_FRONT_NETS, index)
    return Networks(
        modules=modules,
        front=front,
        kernel=modules.network_address + 2,
        front_kernel=front.network_address + 2,
        broker_kernel=subnet.network_address + _BROKER_NET * 256 + _FIRST_MESH_HOST + index,
        mesh=subnet.network_address + _FIRST_MESH_HOST + index,
        front_app=front.network_address + 3,
    )


def _nth(subnet: IPv4Network, third_byte: int, prefix: int, index: int) -> IPv4Network:
    first = int(subnet.network_address) + third_byte * 256
    return IPv4Network((first + index * 2 ** (32 - prefix), prefix))
