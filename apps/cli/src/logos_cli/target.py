"""Which node a command talks to, and where that node is."""

import os
import re
from pathlib import Path
from typing import Final

from logos_testnet.endpoints import Endpoints, read_endpoints
from logos_testnet.errors import UnknownNodeError
from logos_testnet.topology import FRONT_PORT_BASE, MAX_NODES

DEFAULT_TESTNET: Final = "small"
_NUMBERED: Final = re.compile(r"node([1-9]\d{0,2})")


def repository() -> Path:
    """The checkout: what `./logos` says, else the folder above that holds topologies."""
    if told := os.environ.get("LOGOS_ROOT"):
        return Path(told)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "deploy" / "topologies").is_dir():
            return folder
    return here


def state_root() -> Path:
    """The folder that holds the state of all testnets."""
    return Path(os.environ.get("LOGOS_STATE", repository() / ".logos"))


def chosen_testnet(name: str | None) -> str:
    """The testnet that was named; else the only one that is up; else the default."""
    if name:
        return name
    up = sorted(path.parent.name for path in state_root().glob("*/endpoints.json"))
    return up[0] if len(up) == 1 else DEFAULT_TESTNET


def known_endpoints(testnet: str | None) -> Endpoints | None:
    """What `./logos up` wrote of the testnet, if it is up."""
    return read_endpoints(state_root() / chosen_testnet(testnet) / "endpoints.json")


def address_of(node: str, testnet: str | None = None) -> str:
    """The address of a node's front door.

    Args:
        node: A name, or an address already (it holds a colon).
        testnet: Where to look; see `chosen_testnet`.

    Raises:
        UnknownNodeError: The testnet has no such node.
    """
    if ":" in node:
        return node
    endpoints = known_endpoints(testnet)
    if endpoints is not None:
        for known in endpoints.nodes:
            if known.name == node:
                return known.kernel
        names = ", ".join(known.name for known in endpoints.nodes)
        raise UnknownNodeError(f"{endpoints.testnet} has no node {node}; it has {names}")
    # Containers started by compose alone leave no endpoints file; the ports are the rule.
    match = _NUMBERED.fullmatch(node)
    if match is None or int(match[1]) > MAX_NODES:
        raise UnknownNodeError(
            f"{node}: no testnet is up that has such a node; give node1 to node{MAX_NODES},"
            " or --address HOST:PORT"
        )
    return f"127.0.0.1:{FRONT_PORT_BASE + int(match[1])}"


def complete_node(incomplete: str) -> list[str]:
    """Node names for the shell."""
    endpoints = known_endpoints(None)
    names = [n.name for n in endpoints.nodes] if endpoints else [f"node{n}" for n in range(1, 6)]
    return [name for name in names if name.startswith(incomplete)]
