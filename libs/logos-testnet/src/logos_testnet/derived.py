"""Settings of modules that come from the topology: `[testnet.settings]` of docs/modules.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from logos_base.needs import GENESIS_PRIVATE, GENESIS_PUBLIC, SEED, TARGET_PEERS, Needs

MAX_BOOTSTRAP: Final = 4

Value = int | str | list[str]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one module of one node is reached, and where it finds its genesis."""

    host: IPv4Address
    ports: Mapping[str, int]
    public_genesis: str
    private_genesis: str

    def multiaddress(self, port: str) -> str:
        """A port of it as libp2p writes it."""
        return f"/ip4/{self.host}/tcp/{self.ports[port]}"


def derive(
    needs: Needs,
    node: str,
    placements: Mapping[str, Placement],
    *,
    target_peers: int,
    seed: int | None,
) -> dict[str, Value]:
    """Returns the settings that the module of one node gets from its topology.

    Args:
        needs: The module's.
        node: Name of its node.
        placements: The module's places, by node, in the topology's order.
        target_peers: The topology's.
        seed: The testnet's. None: it has none, and neither has the module.
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
            return f"{own.host}:{own.ports[port]}"
        case "peers":
            return others
        case "bootstrap":
            before = list(placements).index(node)
            # The first has none before it: it lists the second.
            return others[max(0, before - MAX_BOOTSTRAP) : before] if before else others[:1]
        case _:
            raise ValueError(f"a manifest cannot name the value {name!r}")
