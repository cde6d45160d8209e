"""Checks that a topology and the manifests of its modules agree."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from logos_base.manifest import Manifest
from logos_base.needs import FRONT, MESH, METRICS
from logos_testnet.topology import APP_PORT, NodeSpec, Topology


def contradictions(topology: Topology, manifests: Mapping[str, Manifest]) -> list[str]:
    """Returns every contradiction between them, as sentences; empty if there is none.

    Args:
        topology: The testnet.
        manifests: By module; modules without a readable manifest are not checked.
    """
    problems = [
        problem
        for node in topology.nodes
        for problem in (*_requirements(node, manifests), *_settings(node, manifests))
    ]
    for node in topology.nodes:
        on_mesh = [name for name in _modules(node, manifests) if manifests[name].needs.is_on_mesh]
        if len(on_mesh) > 1:
            problems.append(
                f"{node.name}: {' and '.join(on_mesh)} are on the network {MESH};"
                " a node may have only one such module"
            )
    return [*problems, *_ports(topology, manifests)]


def port_base(topology: Topology, name: str, manifest: Manifest) -> int:
    """Returns the base of a port: its number on node N is the base plus N, from N = 1."""
    return topology.port_bases.get(name, manifest.needs.ports[name])


def _modules(node: NodeSpec, manifests: Mapping[str, Manifest]) -> list[str]:
    return [module.name for module in node.modules if module.name in manifests]


def _requirements(node: NodeSpec, manifests: Mapping[str, Manifest]) -> Iterator[str]:
    names = {module.name for module in node.modules}
    for name in sorted(names & manifests.keys()):
        for required in manifests[name].prerequisites:
            if required not in names:
                yield f"{node.name}: {name} requires {required}; add it to the modules of the node"


def _settings(node: NodeSpec, manifests: Mapping[str, Manifest]) -> Iterator[str]:
    """A setting has one source: a derived value would replace the topology's."""
    for module in node.modules:
        if module.name not in manifests:
            continue
        derived = manifests[module.name].needs.settings
        for setting in sorted(module.settings.keys() & derived.keys()):
            yield (
                f"{node.name}: remove the setting {setting} of {module.name}: its manifest"
                f" derives it from {derived[setting]}"
            )


def _ports(topology: Topology, manifests: Mapping[str, Manifest]) -> Iterator[str]:
    bases = {FRONT: topology.front_port_base}
    owners = {FRONT: "the front door"}
    if METRICS in topology.port_bases:
        bases[METRICS] = topology.port_bases[METRICS]
    for module, manifest in manifests.items():
        for name in manifest.needs.ports:
            if name in owners:
                yield f"ports.{name}: {owners[name]} and {module} both have a port of that name"
            owners[name] = module
            bases[name] = port_base(topology, name, manifest)
    for name in sorted(topology.port_bases.keys() - bases.keys()):
        yield f"ports.{name}: no module has a port of that name"
    yield from _overlaps(topology, bases)


def _overlaps(topology: Topology, bases: Mapping[str, int]) -> Iterator[str]:
    """Ranges of ports that have some in common. The app has one port, not one a node."""
    count = max((node.index for node in topology.nodes), default=0)
    for name, base in bases.items():
        if topology.app_port is not None and base < topology.app_port <= base + count:
            yield f"ports.{APP_PORT}: {topology.app_port} is in the range of {name}"
    for (first, one), (second, other) in combinations(bases.items(), 2):
        if abs(one - other) < count:
            yield f"ports.{second}: the range of {count} ports overlaps that of {first}"
