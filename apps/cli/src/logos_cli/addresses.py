"""Addresses of nodes that are not known to be up: by their topology, or by the port rule."""

import re
from typing import Final

from logos_testnet.errors import UnknownNodeError
from logos_testnet.layout import Layout
from logos_testnet.opening import remembered
from logos_testnet.topology import FRONT_PORT_BASE, MAX_NODES

_NUMBERED: Final = re.compile(r"node([1-9]\d{0,2})")


def of_topology(layout: Layout) -> list[tuple[str, str]] | None:
    """Returns nodes and front doors of the topology that was started last; None if none was.

    Raises:
        UnreadableStateError: It cannot be read.
    """
    description = remembered(layout)
    if description is None:
        return None
    topology = description.topology()
    return [(n.name, f"127.0.0.1:{topology.front_port_base + n.index}") for n in topology.nodes]


def by_rule(node: str) -> str:
    """Returns the front door of a node by the default ports, if no testnet is known.

    Containers that were started by compose alone leave no folder.

    Raises:
        UnknownNodeError: It is not node1 to node100.
    """
    match = _NUMBERED.fullmatch(node)
    if match is None or int(match[1]) > MAX_NODES:
        raise UnknownNodeError(
            f"{node}: no known testnet has this node; use node1 to node{MAX_NODES}, or"
            " --address HOST:PORT"
        )
    return f"127.0.0.1:{FRONT_PORT_BASE + int(match[1])}"
