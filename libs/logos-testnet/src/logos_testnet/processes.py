"""Finds the processes of a testnet by their environment and open files. Linux: reads /proc.

Process ids alone are not safe: they are reused. A process keeps the environment that it was
started with, and its open log is in the testnet's folder, even after the folder was moved.
"""

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

KERNEL: Final = "kernel"
_PROC: Final = Path("/proc")
_DELETED: Final = " (deleted)"


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """One process of a testnet."""

    pid: int
    node: str
    name: str
    """Module, or `kernel`."""
    variables: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """The LOGOS_ variables that it was started with."""

    @property
    def folder(self) -> Path:
        """The testnet's folder at the start of the process."""
        return Path(self.variables.get("LOGOS_TESTNET_DIR", ""))

    @property
    def sockets(self) -> Path | None:
        """The folder of its socket; None if it has none."""
        kind, _, path = self.variables.get("LOGOS_LISTEN", "").partition(":")
        return Path(path).parent if kind == "unix" else None


def find_processes(directory: Path, proc: Path = _PROC) -> list[NodeProcess]:
    """Finds every kernel and module of the testnet in `directory`."""
    found = [process for folder, process in _processes(proc) if folder == directory]
    return sorted(found, key=lambda process: (process.node, process.name != KERNEL, process.pid))


def folder_held_by(pid: int, proc: Path = _PROC) -> Path | None:
    """Returns the folder of a process's testnet; None if it belongs to none."""
    entry = proc / str(pid)
    variables = read_environment(entry)
    return _folder_now(entry, variables) if "LOGOS_TESTNET_DIR" in variables else None


def _processes(proc: Path) -> Iterator[tuple[Path, NodeProcess]]:
    """Yields every process of every testnet, with the testnet's folder."""
    for entry in proc.iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        variables = read_environment(entry)
        name = variables.get("LOGOS_MODULE") or (KERNEL if "LOGOS_PROFILE" in variables else None)
        if name is None or "LOGOS_TESTNET_DIR" not in variables:
            continue
        own = {key: value for key, value in variables.items() if key.startswith("LOGOS_")}
        process = NodeProcess(int(entry.name), _node_of(variables), name, own)
        yield _folder_now(entry, variables), process


def _folder_now(entry: Path, variables: Mapping[str, str]) -> Path:
    """Returns the folder of a process's testnet: that of its log, else that of its variable."""
    for number in ("1", "2"):
        try:
            log = Path(str((entry / "fd" / number).readlink()).removesuffix(_DELETED))
        except OSError:
            continue  # closed, or of another user
        if log.is_absolute() and log.parent.name == "logs":
            return log.parents[2]
    return Path(variables["LOGOS_TESTNET_DIR"])


def read_environment(entry: Path) -> dict[str, str]:
    """Reads /proc/<pid>/environ; empty if the process ended or is another user's."""
    try:
        raw = (entry / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (os.fsdecode(item).partition("=") for item in raw.split(b"\0") if item)
    return {name: value for name, _, value in pairs}


def _node_of(variables: Mapping[str, str]) -> str:
    state, folder = Path(variables.get("LOGOS_STATE_DIR", "")), variables["LOGOS_TESTNET_DIR"]
    return state.relative_to(folder).parts[0] if state.is_relative_to(folder) else ""


def send_signal(processes: list[NodeProcess], number: signal.Signals) -> None:
    """Sends a signal to each process that still runs."""
    for process in processes:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue


def proportional_bytes(processes: list[NodeProcess], proc: Path = _PROC) -> int:
    """Returns the sum of their PSS: a page shared by n processes counts 1/n for each."""
    total = 0
    for process in processes:
        try:
            rollup = (proc / str(process.pid) / "smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue
        for line in rollup.splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total
