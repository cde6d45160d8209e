"""Settings of modules that are derived from the topology (docs/modules.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from logos_base.needs import GENESIS_PRIVATE, GENESIS_PUBLIC, SEED, TARGET_PEERS, Needs

MAX_BOOTSTRAP: Final = 4

Value = int | str | list[str]


@dataclass(frozen=True, slots=True)
class Placement:
    """The addresses of one module of one node, and its genesis folders."""

    host: IPv4Address
    ports: Mapping[str, int]
    public_genesis: str
    private_genesis: str
    hosts: Mapping[str, IPv4Address] = field(default_factory=dict)
    """Of ports that are not at `host`, by name."""

    def multiaddress(self, port: str) -> str:
        """Returns the multiaddress of a port."""
        return f"/ip4/{self.hosts.get(port, self.host)}/tcp/{self.ports[port]}"

    def address(self, port: str) -> str:
        """Returns host and port of a port."""
        return f"{self.hosts.get(port, self.host)}:{self.ports[port]}"


def derive(
    needs: Needs,
    node: str,
    placements: Mapping[str, Placement],
    *,
    target_peers: int,
    seed: int | None,
) -> dict[str, Value]:
    """Returns the settings of a module on one node that are derived from its topology.

    Args:
        needs: The module's.
        node: Name of its node.
        placements: Those of the module, by node, in the topology's order.
        target_peers: The topology's.
        seed: The testnet's. None: settings that are derived from it are left out.
    """
    own = placements[node]
    plain: dict[str, Value | None] = {
        SEED: seed,
        TARGET_PEERS: target_peers,
        GENESIS_PUBLIC: own.public_genesis,
        GENESIS_PRIVATE: own.private_genesis,
    }
    settings = {}
    for setting, name in needs.settings.items():
        value = plain[name] if name in plain else _address(name, node, placements)
        if value is not None:
            settings[setting] = value
    return settings


def _address(name: str, node: str, placements: Mapping[str, Placement]) -> str | list[str]:
    port, _, kind = name.rpartition(".")
    own = placements[node]
    others = [
        placement.multiaddress(port) for other, placement in placements.items() if other != node
    ]
    match kind:
        case "listen":
            return [own.multiaddress(port)]
        case "address":
            return own.address(port)
        case "peers":
            return others
        case "bootstrap":
            before = list(placements).index(node)
            # Nodes list those before them; the first lists the second.
            return others[max(0, before - MAX_BOOTSTRAP) : before] if before else others[:1]
        case _:
            raise ValueError(f"unknown value {name!r}; parse_needs must refuse it")
