"""Which node a command talks to, and where that node is."""

import os
from contextlib import suppress
from pathlib import Path

from logos_base.errors import ErrorKind, LogosError
from logos_testnet.choosing import chosen
from logos_testnet.endpoints import read_endpoints
from logos_testnet.errors import UnknownNodeError
from logos_testnet.layout import layout_of


class UnknownFolderError(LogosError):
    """A variable names a folder that is not there."""

    kind = ErrorKind.NOT_FOUND
    reason = "FOLDER_UNKNOWN"


def repository() -> Path:
    """The checkout: what `./logos` says, else the folder above that holds topologies.

    Raises:
        UnknownFolderError: LOGOS_ROOT names what is not there.
    """
    if told := os.environ.get("LOGOS_ROOT"):
        return _folder("LOGOS_ROOT", told)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "deploy" / "topologies").is_dir():
            return folder
    return here


def state_root(*, make: bool = False) -> Path:
    """The folder that holds the state of all testnets.

    Args:
        make: Whether LOGOS_STATE may name a folder that is not there yet.

    Raises:
        UnknownFolderError: LOGOS_STATE names what is not there.
    """
    told = os.environ.get("LOGOS_STATE")
    if not told:
        return repository() / ".logos"
    return Path(told) if make else _folder("LOGOS_STATE", told)


def _folder(variable: str, told: str) -> Path:
    folder = Path(told)
    if not folder.is_dir():
        raise UnknownFolderError(f"{variable} names {told}, which is not a folder")
    return folder


def node_addresses(testnet: str | None) -> list[tuple[str, str]] | None:
    """The nodes of a testnet by name, with the addresses of their front doors.

    Args:
        testnet: What the user named; see `choosing.chosen`.

    Returns:
        What `./logos up` wrote, else what the testnet's topology says; None if no
        testnet is known, as where containers were started by compose alone.

    Raises:
        LogosError: The testnet that was named is unknown, several could be meant, or
            what it remembers cannot be read.
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
    """The address of a node's front door.

    Args:
        node: A name, or an address already (it holds a colon).
        testnet: Where to look; see `node_addresses`.

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
    """Node names for the shell."""
    names = [f"node{number}" for number in range(1, 6)]
    with suppress(LogosError):
        names = [name for name, _ in node_addresses(os.environ.get("LOGOS_TESTNET")) or []] or names
    return [name for name in names if name.startswith(incomplete)]
