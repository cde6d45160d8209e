"""`endpoints.json`: the addresses of a testnet's nodes, for programs. Schema 1."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from logos_testnet.errors import UnreadableStateError
from logos_testnet.replacing import replace_text

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class NodeEndpoints:
    """One node."""

    name: str
    kernel: str
    """gRPC target of the front door."""
    modules: tuple[str, ...]
    peer_id: str
    p2p_address: str
    """Multiaddress for other nodes."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """One testnet."""

    testnet: str
    runtime: str
    """`processes` or `containers`."""
    seed: int | None
    nodes: tuple[NodeEndpoints, ...]


def to_json(endpoints: Endpoints) -> dict[str, Any]:
    """Returns the document for `json`."""
    return {"schema": SCHEMA, **asdict(endpoints)}


def write_endpoints(path: Path, endpoints: Endpoints) -> None:
    """Replaces the file in one step: a reader sees the old one or the new one."""
    replace_text(path, json.dumps(to_json(endpoints), indent=2) + "\n")


def read_endpoints(path: Path) -> Endpoints | None:
    """Reads the file; None if there is none.

    Raises:
        UnreadableStateError: The file is malformed or has another schema.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']!r}, not {SCHEMA}")
        nodes = tuple(
            NodeEndpoints(
                name=node["name"],
                kernel=node["kernel"],
                modules=tuple(node["modules"]),
                peer_id=node["peer_id"],
                p2p_address=node["p2p_address"],
            )
            for node in document["nodes"]
        )
        return Endpoints(document["testnet"], document["runtime"], document["seed"], nodes)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableStateError(
            f"{path} cannot be read ({type(error).__name__}: {error});"
            f" `./logos up --testnet {path.parent.name}` rewrites it"
        ) from error
