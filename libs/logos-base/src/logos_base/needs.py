"""The requirements of a module on a testnet: the `[testnet]` table of its `module.toml`.

The kernel does not read it. docs/modules.md describes each key, and how testnets of processes
and of containers meet it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MESH: Final = "mesh"
"""The network between the nodes. Every module is on its node's own network."""
NETWORKS: Final = frozenset({MESH})

FRONT: Final = "front"
"""Name of the front door's port, reserved."""
METRICS: Final = "metrics"
"""Name of the port at which a kernel gives the metrics of its node, reserved."""
PORT: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
CALL: Final = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+/[A-Za-z_][A-Za-z0-9_]*"
)

HOST_PORT: Final = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}")

SEED: Final = "seed"
TARGET_PEERS: Final = "target_peers"
GENESIS_PUBLIC: Final = "genesis.public"
GENESIS_PRIVATE: Final = "genesis.private"
ADDRESSES: Final = frozenset({"listen", "address", "bootstrap", "peers"})
"""Suffixes after the name of a port, as in `p2p.listen`."""
ADDRESSES_OF_OTHERS: Final = frozenset({"bootstrap", "peers"})

OTHERS: Final = "others"
"""The topology's `target_peers`, but at most the number of other nodes with the module."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits of a container of the module."""

    memory_mib: int = 512
    cpus: float = 1.0
    processes: int = 256
    """Processes and threads."""


@dataclass(frozen=True, slots=True)
class ReadyFigure:
    """A number that the module must reach before the testnet counts it as ready."""

    call: str
    """A unary method, as `package.Service/Method`, that answers an empty request."""
    field: int
    """Number of the integer field of its response."""
    counts: str
    """Its unit, for messages: `peers`."""
    at_least: int | None
    """None: see `OTHERS`."""


@dataclass(frozen=True, slots=True)
class PanelAddress:
    """A page of the module's own, which the Logos App shows in a sandbox."""

    title: str
    address: str = ""
    """Host and port of an HTTP server elsewhere, as the app reaches it; else empty."""
    port: str = ""
    """Name of the module's port at which it serves the page itself; else empty."""


@dataclass(frozen=True, slots=True)
class Genesis:
    """Files of the module that are made once, before the testnet's first start."""

    command: tuple[str, ...] = ()
    """Of the job; empty: there is none."""
    late_nodes: bool = False
    """Whether nodes that are added later do without; if not, the testnet refuses them."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Requirements of one module. Without a table: its node's own network and nothing else."""

    networks: frozenset[str] = frozenset()
    """In addition to the node's own."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """By name. In a container the number is the port; processes of node N add N to it."""
    limits: Limits = Limits()
    settings: Mapping[str, str] = field(default_factory=dict)
    """The settings that are derived from the topology, each with the name of its value."""
    defaults: Mapping[str, bool | int | str] = field(default_factory=dict)
    """Settings of every testnet's nodes, unless the topology says otherwise."""
    ready: ReadyFigure | None = None
    genesis: Genesis = Genesis()
    panel: PanelAddress | None = None
    """Its page in the Logos App; None: it has none, or the app has one for it."""

    @property
    def is_on_mesh(self) -> bool:
        """Whether other nodes reach it."""
        return MESH in self.networks


def parse_needs(table: object, problems: list[str]) -> Needs:
    """Reads the table; appends its problems to `problems`, as `key: problem`."""
    return _Reader(problems).needs(table)


class _Reader:
    def __init__(self, problems: list[str]) -> None:
        self._problems = problems

    def needs(self, table: object) -> Needs:
        keys = ("networks", "ports", "limits", "settings", "defaults", "ready", "genesis", "panel")
        document = self._table("testnet", table, keys)
        needs = Needs(
            networks=self._networks(document.get("networks", [])),
            ports=self._ports(document.get("ports", {})),
            limits=self._limits(document.get("limits", {})),
            settings=self._settings(document.get("settings", {})),
            defaults=self._defaults(document.get("defaults", {})),
            ready=self._ready(document["ready"]) if "ready" in document else None,
            genesis=self._genesis(document["genesis"]) if "genesis" in document else Genesis(),
            panel=self._panel(document["panel"]) if "panel" in document else None,
        )
        if needs.panel is not None and needs.panel.port not in {"", *needs.ports}:
            self._problem("testnet.panel.port", f"[testnet.ports] has no {needs.panel.port!r}")
        for setting, value in needs.settings.items():
            if problem := _problem_of(value, needs):
                self._problem(f"testnet.settings.{setting}", problem)
        for setting in sorted(needs.defaults.keys() & needs.settings.keys()):
            self._problem(f"testnet.defaults.{setting}", "is derived from the topology")
        return needs

    def _problem(self, key: str, what: str) -> None:
        self._problems.append(f"{key}: {what}")

    def _table(self, key: str, value: object, known: tuple[str, ...] = ()) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self._problem(key, "must be a table")
            return {}
        for unknown in sorted(value.keys() - set(known)) if known else ():
            self._problem(f"{key}.{unknown}", f"unknown key; known are {', '.join(known)}")
        return value

    def _networks(self, value: object) -> frozenset[str]:
        if isinstance(value, list) and all(
            isinstance(item, str) and item in NETWORKS for item in value
        ):
            return frozenset(value)
        self._problem("testnet.networks", f"must be a list of {', '.join(sorted(NETWORKS))}")
        return frozenset()

    def _ports(self, value: object) -> Mapping[str, int]:
        ports = {}
        for name, number in self._table("testnet.ports", value).items():
            key = f"testnet.ports.{name}"
            if not PORT.fullmatch(name) or name in {FRONT, METRICS}:
                reserved = f"must not be {FRONT} or {METRICS}"
                self._problem(key, f"the name must match {PORT.pattern} and {reserved}")
            ports[name] = self._number(key, number, 1024, 65_000)
        return ports

    def _limits(self, value: object) -> Limits:
        table = self._table("testnet.limits", value, ("memory_mib", "cpus", "processes"))
        default, key = Limits(), "testnet.limits"
        cpus = table.get("cpus", default.cpus)
        if isinstance(cpus, bool) or not isinstance(cpus, int | float) or not 0 < cpus <= 1024:
            self._problem(f"{key}.cpus", f"must be a number over 0 and up to 1024, is {cpus!r}")
            cpus = default.cpus
        memory = table.get("memory_mib", default.memory_mib)
        processes = table.get("processes", default.processes)
        return Limits(
            memory_mib=self._number(f"{key}.memory_mib", memory, 16, 1024**2),
            cpus=float(cpus),
            processes=self._number(f"{key}.processes", processes, 1, 2**22),
        )

    def _settings(self, value: object) -> Mapping[str, str]:
        settings = {}
        for name, wanted in self._table("testnet.settings", value).items():
            if isinstance(wanted, str):
                settings[name] = wanted
            else:
                self._problem(f"testnet.settings.{name}", "must be the name of a value")
        return settings

    def _defaults(self, value: object) -> Mapping[str, bool | int | str]:
        defaults = self._table("testnet.defaults", value)
        for name, default in defaults.items():
            if not isinstance(default, bool | int | str):
                self._problem(f"testnet.defaults.{name}", "must be a string, a number or a boolean")
        return defaults

    def _ready(self, value: object) -> ReadyFigure:
        key = "testnet.ready"
        table = self._table(key, value, ("call", "field", "counts", "at_least"))
        call, counts = table.get("call"), table.get("counts")
        if not (isinstance(call, str) and CALL.fullmatch(call)):
            self._problem(f"{key}.call", f"must be like package.Service/Method, is {call!r}")
        if not (isinstance(counts, str) and 0 < len(counts) <= 64):
            self._problem(f"{key}.counts", "must be the unit of the number, 1 to 64 characters")
        at_least = table.get("at_least")
        if at_least != OTHERS:
            at_least = self._number(f"{key}.at_least", at_least, 1, 2**31, f" or {OTHERS!r}")
        return ReadyFigure(
            call=str(call),
            field=self._number(f"{key}.field", table.get("field"), 1, 2**29 - 1),
            counts=str(counts),
            at_least=None if at_least == OTHERS else at_least,
        )

    def _genesis(self, value: object) -> Genesis:
        key = "testnet.genesis"
        table = self._table(key, value, ("command", "late_nodes"))
        command, late_nodes = table.get("command"), table.get("late_nodes", False)
        if not (isinstance(command, list) and command and all(isinstance(x, str) for x in command)):
            self._problem(f"{key}.command", "must be a list of the program and its arguments")
            command = []
        if not isinstance(late_nodes, bool):
            self._problem(f"{key}.late_nodes", f"must be true or false, is {late_nodes!r}")
        return Genesis(tuple(command), late_nodes is True)

    def _panel(self, value: object) -> PanelAddress | None:
        table = self._table("testnet.panel", value, ("title", "address", "port"))
        texts = {key: text for key, text in table.items() if isinstance(text, str)}
        title, address, port = (texts.get(key, "") for key in ("title", "address", "port"))
        if not 0 < len(title) <= 40:
            self._problem("testnet.panel.title", "must be a word or two, 1 to 40 characters")
        if bool(address) == bool(port):
            self._problem("testnet.panel", "needs either an address or a port")
        elif address and not HOST_PORT.fullmatch(address):
            self._problem("testnet.panel.address", f"must be like 127.0.0.1:20500, is {address!r}")
        return PanelAddress(title, address, port)

    def _number(self, key: str, value: object, low: int, high: int, also: str = "") -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self._problem(key, f"must be a whole number from {low} to {high}{also}, is {value!r}")
        return low


def _problem_of(value: str, needs: Needs) -> str:
    """Returns the problem with the name of a value; empty if there is none."""
    if value in {SEED, TARGET_PEERS}:
        return ""
    if value in {GENESIS_PUBLIC, GENESIS_PRIVATE}:
        return "" if needs.genesis.command else f"{value} needs [testnet.genesis], which is missing"
    port, _, kind = value.rpartition(".")
    if kind not in ADDRESSES or not port:
        return f"unknown value {value!r}; docs/modules.md lists them"
    if port not in needs.ports:
        return f"{value}: [testnet.ports] has no port {port!r}"
    if kind in ADDRESSES_OF_OTHERS and not needs.is_on_mesh:
        return f"{value}: testnet.networks must contain {MESH!r}"
    return ""
