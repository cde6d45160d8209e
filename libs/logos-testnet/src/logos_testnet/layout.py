"""The files of a testnet.

.logos/<testnet>/lock, testnet.json, topology.toml, endpoints.json,
                      operator.token, docker-compose.yml, forks.log, app.log, app/
.logos/<testnet>/<node>/profile.toml, <module>.toml
.logos/<testnet>/genesis/<module>/                its genesis for all nodes
.logos/<testnet>/<node>/genesis/<module>/         and for this node
.logos/<testnet>/<node>/kernel/, modules/<module>/, logs/<name>.log
.logos/<testnet>/run/forks.sock, run/<node>/<module>.sock
/tmp/logos-<uid>-<hash>/<node>/<module>.sock   if the path above is too long
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_SOCKET_PATH_BYTES: Final = 107
"""sun_path of unix(7), without its zero byte."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one testnet. Creates nothing."""

    directory: Path
    """Absolute path of `.logos/<testnet>`."""

    @property
    def lock(self) -> Path:
        return self.directory / "lock"

    @property
    def facts(self) -> Path:
        return self.directory / "testnet.json"

    @property
    def topology(self) -> Path:
        """A copy of the topology that was started last."""
        return self.directory / "topology.toml"

    @property
    def endpoints(self) -> Path:
        return self.directory / "endpoints.json"

    @property
    def operator_token(self) -> Path:
        """The token that all nodes accept as that of an admin, `local`."""
        return self.directory / "operator.token"

    @property
    def app_state(self) -> Path:
        """Folder of the app: hashes of its sessions and links."""
        return self.directory / "app"

    @property
    def app_log(self) -> Path:
        return self.directory / "app.log"

    @property
    def fork_server_log(self) -> Path:
        return self.directory / "forks.log"

    @property
    def compose_file(self) -> Path:
        return self.directory / "docker-compose.yml"

    @property
    def run(self) -> Path:
        """Folder of the sockets; unlike temporary folders, no cleaner sweeps it."""
        return self.directory / "run"

    @property
    def temporary_run(self) -> Path:
        """Folder of the sockets if their paths in `run` would be too long."""
        digest = hashlib.sha256(bytes(self.directory)).hexdigest()[:8]
        return Path("/tmp") / f"logos-{os.getuid()}-{digest}"  # noqa: S108 - owned and 0700

    def sockets_of(self, names: Iterable[tuple[str, str]]) -> Path:
        """Returns the folder for the sockets of these nodes and modules (or `kernel`)."""
        paths = (self.run / node / f"{module}.sock" for node, module in names)
        is_short = all(len(bytes(path)) <= MAX_SOCKET_PATH_BYTES for path in paths)
        return self.run if is_short else self.temporary_run

    def node(self, name: str) -> Path:
        return self.directory / name

    def public_genesis(self, module: str) -> Path:
        """A module's genesis for all nodes."""
        return self.directory / "genesis" / module

    def private_genesis(self, node: str, module: str) -> Path:
        """A module's genesis for one node."""
        return self.node(node) / "genesis" / module

    def logs(self, node: str) -> Path:
        return self.node(node) / "logs"

    def log(self, node: str, module: str) -> Path:
        """The log of a module, or of the node's `kernel`."""
        return self.logs(node) / f"{module}.log"


def layout_of(state_root: Path, testnet: str) -> Layout:
    """The folders of a testnet below `state_root` (`.logos`)."""
    return Layout(state_root.resolve() / testnet)
