"""Topologies: the nodes of a testnet and their modules, read from a topology file.

docs/operations.md describes the format. It does not depend on the runtime.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final, TypeGuard

from logos_base.needs import FRONT
from logos_base.toml_lines import KeyPath, key_lines, line_of
from logos_testnet.errors import TopologyError

NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
MODULE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
PACKAGE: Final = re.compile(r"[a-z][a-z0-9_]*")
RESERVED_NODES: Final = {
    "lock": "a file in the testnet's folder",
    "app": "the folder of the app",
    "genesis": "the folder of the genesis",
    "run": "the folder of the sockets",
    "mesh": "the network between the nodes",
    "broker": "the network of the broker",
}
RESERVED_MODULES: Final = {"kernel": "the node's kernel", "profile": "the node's profile"}
MAX_NODES: Final = 100
FRONT_PORT_BASE: Final = 17000
APP_PORT: Final = "app"
"""Unlike the other ports, it is one for the whole testnet."""
DEFAULT_SUBNET: Final = "10.210.0.0/16"

_KEYS: Final = frozenset(
    {"schema", "name", "node_count", "nodes", "target_peers", "ports", "containers", "modules"}
    | {"kernel", "groups"}
)
_MODULE_KEYS: Final = frozenset({"package", "settings", "image", "folder", "restart", "group"})


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """A module in a topology."""

    name: str
    package: str
    """Python package that holds its `module.toml`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None
    """Container image; None: built by deploy/Dockerfile from `services/<name>`."""
    folder: Path | None = None
    """Folder with its `module.toml`, instead of a package: a module that is not in Python."""
    supervision: Mapping[str, Any] = field(default_factory=dict)
    """`restart` and `group`, for the profile; the kernel checks them."""


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One node. `index` counts from 1 and decides its ports and addresses."""

    name: str
    index: int
    modules: tuple[ModuleSpec, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """One testnet."""

    name: str
    nodes: tuple[NodeSpec, ...]
    target_peers: int = 4
    """Connections that each node keeps, if there are enough nodes."""
    front_port_base: int = FRONT_PORT_BASE
    port_bases: Mapping[str, int] = field(default_factory=dict)
    """Bases of modules' ports, by name, that replace those of the manifests."""
    subnet: IPv4Network = field(default_factory=lambda: IPv4Network(DEFAULT_SUBNET))
    """A /16 for the networks of containers."""
    has_broker: bool = True
    """Whether the kernels start and restart the containers; else the engine does."""
    supervision: Mapping[str, Any] = field(default_factory=dict)
    """Tables `kernel` and `groups`, for each profile; the kernel checks them."""
    app_port: int | None = None
    """Where the Logos App is on 127.0.0.1; None: the testnet has none."""


def parse_topology(
    text: str,
    *,
    source: str = "topology",
    node_count: int | None = None,
    base: Path = Path(),
) -> Topology:
    """Reads a topology.

    Args:
        text: TOML.
        source: Name of the file, for messages.
        node_count: Replaces the file's `node_count`.
        base: Folder that its relative paths start at.

    Raises:
        TopologyError: All of its problems, each as `source:line: problem`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TopologyError([f"{source}: not TOML: {error}"]) from error
    return _Reader(document, key_lines(text), source, base).read(node_count)


class _Reader:
    """Reads one document and collects its problems."""

    def __init__(
        self, document: dict[str, Any], lines: dict[KeyPath, int], source: str, base: Path
    ) -> None:
        self._document = document
        self._lines = lines
        self._source = source
        self._base = base
        self._problems: list[tuple[int, str]] = []

    def read(self, node_count: int | None) -> Topology:
        document = self._document
        self._unknown((), document, _KEYS)
        if document.get("schema") != 1:
            self._problem(("schema",), "must be 1")
        name = self._word(("name",), document.get("name"), NAME)
        modules = self._modules()
        nodes = self._nodes(modules, node_count)
        self._refuse_collisions(nodes)
        target_peers = self._number(("target_peers",), 4, 0, MAX_NODES)
        front, ports = self._ports(len(nodes))
        app_port = ports.pop(APP_PORT, None)
        subnet = self._subnet()
        supervision = self._supervision((), document, ("kernel", "groups"))
        if self._problems:
            raise TopologyError(
                [f"{self._source}:{line}: {what}" for line, what in sorted(self._problems)]
            )
        return Topology(
            name,
            nodes,
            target_peers,
            front,
            ports,
            subnet,
            self._has_broker(),
            supervision,
            app_port,
        )

    def _problem(self, path: KeyPath, what: str) -> None:
        label = ".".join(str(word) for word in path)
        self._problems.append((line_of(self._lines, path), f"{label}: {what}"))

    def _unknown(self, path: KeyPath, table: Mapping[str, Any], known: frozenset[str]) -> None:
        for key in sorted(table.keys() - known):
            self._problem((*path, key), f"unknown key; known are {', '.join(sorted(known))}")

    def _word(self, path: KeyPath, value: object, pattern: re.Pattern[str]) -> str:
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        self._problem(path, f"must be a string that matches {pattern.pattern}, is {value!r}")
        return ""

    def _number(self, path: KeyPath, default: int, low: int, high: int) -> int:
        value: Any = self._document
        for word in path:
            value = value.get(word, default) if isinstance(value, dict) else default
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self._problem(path, f"must be a number from {low} to {high}, is {value!r}")
        return default

    def _table(self, path: KeyPath, value: object) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self._problem(path, "must be a table")
        return {}

    def _settings(self, path: KeyPath, value: object) -> Mapping[str, Any]:
        """Reads settings: they reach modules as JSON, which has no dates and times."""
        table = self._table(path, value)
        for key in table:
            if _has_date(table[key]):
                self._problem((*path, key), "must hold no date or time; write it as a string")
        return table

    def _supervision(
        self, path: KeyPath, table: Mapping[str, Any], keys: Sequence[str]
    ) -> Mapping[str, Any]:
        """Reads what is the kernel's to check: tables that can be written again."""
        given = {key: table[key] for key in keys if key in table}
        return {key: self._settings((*path, key), given[key]) for key in given}

    def _modules(self) -> dict[str, ModuleSpec]:
        tables = self._table(("modules",), self._document.get("modules", {}))
        if not tables:
            self._problem(("modules",), "must name at least one module")
        modules = {}
        for name, value in tables.items():
            path: KeyPath = ("modules", name)
            self._word(path, name, MODULE)
            if name in RESERVED_MODULES:
                self._problem(path, f"{name!r} is reserved for {RESERVED_MODULES[name]}")
            table = self._table(path, value)
            self._unknown(path, table, _MODULE_KEYS)
            package = table.get("package", f"logos_{name.replace('-', '_')}")
            image = table.get("image")
            if image is not None and not (isinstance(image, str) and image):
                self._problem((*path, "image"), "must be the name of an image")
            modules[name] = ModuleSpec(
                name,
                self._word((*path, "package"), package, PACKAGE),
                self._settings((*path, "settings"), table.get("settings", {})),
                image,
                self._folder(path, table),
                {**self._supervision(path, table, ("restart",)), **self._group(path, table)},
            )
        return modules

    def _group(self, path: KeyPath, table: Mapping[str, Any]) -> Mapping[str, Any]:
        if "group" not in table:
            return {}
        return {"group": self._word((*path, "group"), table["group"], MODULE)}

    def _folder(self, path: KeyPath, table: Mapping[str, Any]) -> Path | None:
        folder = table.get("folder")
        if folder is None:
            return None
        if not (isinstance(folder, str) and folder):
            self._problem((*path, "folder"), "must be the path of a folder with a module.toml")
            return None
        if "package" in table:
            self._problem((*path, "folder"), "cannot be combined with a package")
        return self._base / folder

    def _nodes(
        self, modules: dict[str, ModuleSpec], node_count: int | None
    ) -> tuple[NodeSpec, ...]:
        tables = self._document.get("nodes")
        if tables is None:
            count = node_count
            if count is None:
                count = self._number(("node_count",), 1, 1, MAX_NODES)
                if "node_count" not in self._document:
                    self._problem(("node_count",), "give node_count or [[nodes]]")
            if not 1 <= count <= MAX_NODES:
                self._problem(("node_count",), f"must be from 1 to {MAX_NODES}, is {count}")
                count = 1
            every = tuple(modules.values())
            return tuple(NodeSpec(f"node{index}", index, every) for index in range(1, count + 1))
        if "node_count" in self._document or node_count is not None:
            self._problem(("nodes",), "a number of nodes cannot be combined with [[nodes]]")
        if not isinstance(tables, list) or not 1 <= len(tables) <= MAX_NODES:
            self._problem(("nodes",), f"must be 1 to {MAX_NODES} tables [[nodes]]")
            return ()
        nodes = tuple(self._node(position, value, modules) for position, value in enumerate(tables))
        names = [node.name for node in nodes]
        for position, name in enumerate(names):
            if name and name in names[:position]:
                self._problem(("nodes", position, "name"), f"{name!r} is taken by another node")
        return nodes

    def _node(self, position: int, value: object, modules: dict[str, ModuleSpec]) -> NodeSpec:
        path: KeyPath = ("nodes", position)
        table = self._table(path, value)
        self._unknown(path, table, frozenset({"name", "modules", "settings"}))
        name = self._word((*path, "name"), table.get("name", f"node{position + 1}"), NAME)
        wanted = table.get("modules", list(modules))
        if not _is_words(wanted) or not wanted:
            self._problem((*path, "modules"), "must be a list of names of modules")
            wanted = []
        elif len(set(wanted)) < len(wanted):
            self._problem((*path, "modules"), "names a module twice")
        settings = self._table((*path, "settings"), table.get("settings", {}))
        for module in settings:
            if module not in wanted:
                self._problem((*path, "settings", module), "the node has no such module")
        chosen = []
        for module in wanted:
            if module not in modules:
                self._problem((*path, "modules"), f"[modules.{module}] is missing")
                continue
            spec = modules[module]
            own = self._settings((*path, "settings", module), settings.get(module, {}))
            merged = {**spec.settings, **own}
            chosen.append(replace(spec, settings=merged))
        return NodeSpec(name, position + 1, tuple(chosen))

    def _refuse_collisions(self, nodes: tuple[NodeSpec, ...]) -> None:
        """Folders, sockets, services and networks are named after nodes and modules."""
        services: dict[str, str] = {}
        fronts = {f"{node.name}-front": node.name for node in nodes}
        for position, node in enumerate(nodes):
            path: KeyPath = ("nodes", position, "name")
            if node.name in RESERVED_NODES:
                self._problem(path, f"{node.name!r} is reserved for {RESERVED_NODES[node.name]}")
            if node.name in fronts:
                self._problem(
                    path,
                    f"{node.name!r} is the name of the front door's network of node"
                    f" {fronts[node.name]!r}",
                )
            for name in dict.fromkeys(["kernel", *(module.name for module in node.modules)]):
                service = f"{node.name}-{name}"
                holder = services.setdefault(service, node.name)
                if holder != node.name:
                    self._problem(path, f"{service!r} would be a container of node {holder!r} too")

    def _ports(self, count: int) -> tuple[int, dict[str, int]]:
        """Returns the bases of ports; `agreement` checks them against the manifests."""
        table = self._table(("ports",), self._document.get("ports", {}))
        most = 65535 - count
        bases = {
            name: self._number(("ports", name), FRONT_PORT_BASE, 1023, most)
            for name in (FRONT, *table)
        }
        return bases.pop(FRONT), bases

    def _has_broker(self) -> bool:
        value = self._table(("containers",), self._document.get("containers", {})).get(
            "broker", True
        )
        if not isinstance(value, bool):
            self._problem(("containers", "broker"), f"must be true or false, is {value!r}")
        return value is True

    def _subnet(self) -> IPv4Network:
        table = self._table(("containers",), self._document.get("containers", {}))
        self._unknown(("containers",), table, frozenset({"subnet", "broker"}))
        try:
            subnet = IPv4Network(table.get("subnet", DEFAULT_SUBNET))
        except ValueError as error:
            self._problem(("containers", "subnet"), str(error))
            return IPv4Network(DEFAULT_SUBNET)
        if subnet.prefixlen != 16 or not subnet.is_private:
            self._problem(("containers", "subnet"), "must be a private network with prefix /16")
        return subnet


def _has_date(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_date, value.values()))
    if isinstance(value, list):
        return any(map(_has_date, value))
    return isinstance(value, date | time)


def _is_words(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)
