"""Where a testnet keeps what on disk.

.logos/<testnet>/lock, testnet.json, topology.toml, endpoints.json,
                      docker-compose.yml
.logos/<testnet>/<node>/profile.toml, <module>.toml
.logos/<testnet>/<node>/kernel/, modules/<module>/, logs/<name>.log
/tmp/logos-<uid>-<hash>/<node>/<module>.sock   (a Unix path holds 107 bytes)
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


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
    def compose_file(self) -> Path:
        return self.directory / "docker-compose.yml"

    @property
    def sockets(self) -> Path:
        digest = hashlib.sha256(bytes(self.directory)).hexdigest()[:8]
        return Path("/tmp") / f"logos-{os.getuid()}-{digest}"  # noqa: S108 - owned and 0700

    def node(self, name: str) -> Path:
        return self.directory / name

    def logs(self, node: str) -> Path:
        return self.node(node) / "logs"

    def log(self, node: str, module: str) -> Path:
        """The log of a module, or of the node's `kernel`."""
        return self.logs(node) / f"{module}.log"


def layout_of(state_root: Path, testnet: str) -> Layout:
    """The folders of a testnet below `state_root` (`.logos`)."""
    return Layout(state_root.resolve() / testnet)
