"""Finds the node of a command, and its address."""

import os
from contextlib import suppress
from pathlib import Path

from logos_base.errors import ErrorKind, LogosError
from logos_testnet.choosing import chosen
from logos_testnet.endpoints import read_endpoints
from logos_testnet.errors import UnknownNodeError
from logos_testnet.layout import layout_of


class UnknownFolderError(LogosError):
    """A variable names a folder that does not exist."""

    kind = ErrorKind.NOT_FOUND
    reason = "FOLDER_UNKNOWN"


def repository() -> Path:
    """Returns the checkout: LOGOS_ROOT, set by `./logos`, else the parent with topologies.

    Raises:
        UnknownFolderError: LOGOS_ROOT is not a folder.
    """
    if root := os.environ.get("LOGOS_ROOT"):
        return _folder("LOGOS_ROOT", root)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "deploy" / "topologies").is_dir():
            return folder
    return here


def state_root(*, make: bool = False) -> Path:
    """Returns the folder with the state of all testnets.

    Args:
        make: Whether the folder of LOGOS_STATE may be missing.

    Raises:
        UnknownFolderError: LOGOS_STATE is not a folder.
    """
    state = os.environ.get("LOGOS_STATE")
    if not state:
        return repository() / ".logos"
    return Path(state) if make else _folder("LOGOS_STATE", state)


def _folder(variable: str, value: str) -> Path:
    folder = Path(value)
    if not folder.is_dir():
        raise UnknownFolderError(f"{variable} names {value}, which is not a folder")
    return folder


def node_addresses(testnet: str | None) -> list[tuple[str, str]] | None:
    """Returns the nodes of a testnet by name, with the addresses of their front doors.

    Args:
        testnet: The user's choice; see `choosing.chosen`.

    Returns:
        The endpoints that `./logos up` wrote, else those of the topology; None if no testnet is
        known, e.g. if containers were started by compose alone.

    Raises:
        LogosError: The named testnet is unknown, there are several candidates, or the state
            cannot be read.
    """
    root = state_root()
    name = chosen(root, testnet)
    if name is None:
        return None
    layout = layout_of(root, name)
    if (endpoints := read_endpoints(layout.endpoints)) is not None:
        return [(node.name, node.kernel) for node in endpoints.nodes]
    from logos_cli.addresses import of_topology  # noqa: PLC0415 - not for what is up

    return of_topology(layout)


def address_of(node: str, testnet: str | None = None) -> str:
    """Returns the address of a node's front door.

    Args:
        node: A name, or an address (with a colon).
        testnet: See `node_addresses`.

    Raises:
        UnknownNodeError: The testnet has no such node.
        LogosError: As `node_addresses`.
    """
    if ":" in node:
        return node
    known = node_addresses(testnet)
    if known is not None:
        addresses = dict(known)
        if node in addresses:
            return addresses[node]
        raise UnknownNodeError(f"the testnet has no node {node}; it has {', '.join(addresses)}")
    from logos_cli.addresses import by_rule  # noqa: PLC0415 - not for what is up

    return by_rule(node)


def complete_node(incomplete: str) -> list[str]:
    """Returns names of nodes for shell completion."""
    names = [f"node{number}" for number in range(1, 6)]
    with suppress(LogosError):
        names = [name for name, _ in node_addresses(os.environ.get("LOGOS_TESTNET")) or []] or names
    return [name for name in names if name.startswith(incomplete)]
