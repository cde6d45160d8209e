"""What the integration tests share: `./logos` as a function, and a testnet of tiny nodes."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from logos_testnet.fork_server import find_fork_servers
from logos_testnet.layout import Layout, layout_of
from logos_testnet.processes import NodeProcess, find_processes, send_signal
from logos_testnet.state import remember_start
from own_topology import PortBlock

ROOT = Path(__file__).parents[2]

Command = Callable[..., CompletedProcess[bytes]]


def skip_without(program: str) -> None:
    """Skips a test where a program is missing. In CI it goes on, and fails."""
    if shutil.which(program) is None and not os.environ.get("CI"):
        pytest.skip(f"there is no {program} here")


def surroundings(state_root: Path) -> dict[str, str]:
    """The environment of `./logos` with its state in a folder of the test's own."""
    around = {key: value for key, value in os.environ.items() if not key.startswith("LOGOS_")}
    return around | {"LOGOS_ROOT": str(ROOT), "LOGOS_STATE": str(state_root), "NO_COLOR": "1"}


def program(*words: str) -> list[str]:
    """`./logos` words, past the bootstrap."""
    return [sys.executable, "-P", "-m", "logos_cli", *words]


@dataclass
class Tiny:
    """A testnet of two small nodes with one small module each, in a state folder of its own."""

    folder: Path
    state_root: Path
    ports: PortBlock

    @property
    def text(self) -> str:
        return (
            'schema = 1\nname = "tiny"\nnode_count = 2\n'
            f"[ports]\nfront = {self.ports.front}\nhello-page = {self.ports.page}\n"
            "[modules.hello]\n"
        )

    @property
    def topology(self) -> str:
        """Path of its topology file, as a word of a command."""
        return str(self.folder / "tiny.toml")

    @property
    def layout(self) -> Layout:
        return layout_of(self.state_root, "tiny")

    def write(self, text: str) -> None:
        """Changes the topology file."""
        Path(self.topology).write_text(text, encoding="utf-8")

    def logos(self, *words: str, testnet: str = "") -> CompletedProcess[bytes]:
        """Runs `./logos` words; `testnet` is LOGOS_TESTNET."""
        return subprocess.run(
            program(*words),
            capture_output=True,
            env=surroundings(self.state_root) | {"LOGOS_TESTNET": testnet},
            check=False,
            timeout=180,
        )

    def up(self, *words: str) -> CompletedProcess[bytes]:
        """`./logos up` of the topology file; it must succeed."""
        ended = self.logos("up", "--topology", self.topology, *words)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended

    def processes(self) -> list[NodeProcess]:
        return find_processes(self.layout.directory)

    def fork_servers(self) -> list[NodeProcess]:
        return find_fork_servers(self.layout.directory)

    def remember_another(self, name: str) -> None:
        """Makes a testnet that was started once, and is down."""
        layout = layout_of(self.state_root, name)
        layout.directory.mkdir(parents=True)
        text = self.text.replace('"tiny"', f'"{name}"')
        remember_start(layout, topology=text, node_count=None, runtime="processes", seed=None)

    def move(self) -> None:
        """Moves the state folder, as `mv` of a checkout does."""
        moved = self.state_root.with_name("moved")
        self.state_root.rename(moved)
        self.state_root = moved

    def remove(self) -> None:
        """Ends all remaining processes."""
        for topology in self.folder.rglob("topology.toml"):
            servers = find_fork_servers(topology.parent)
            send_signal([*find_processes(topology.parent), *servers], signal.SIGKILL)


def printed_commands(said: bytes) -> list[list[str]]:
    """Returns the `./logos` commands in the output of a command, in order, each once."""
    found = re.findall(r"`\./logos ([^`]+)`|^  \./logos (.+?)  ", said.decode(), re.MULTILINE)
    commands = [(quoted or hint).split() for quoted, hint in found]
    return [words for at, words in enumerate(commands) if words not in commands[:at]]
