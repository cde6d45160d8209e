"""The processes of a testnet, found by their environment. Linux: reads /proc.

A process id alone says little: it may have been given to somebody else. What a
process was started with cannot be taken over.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KERNEL: Final = "kernel"
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """One process of a testnet."""

    pid: int
    node: str
    name: str
    """Module, or `kernel`."""


def find_processes(directory: Path, proc: Path = _PROC) -> list[NodeProcess]:
    """Finds every kernel and module whose LOGOS_TESTNET_DIR is `directory`."""
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        variables = read_environment(entry)
        if variables.get("LOGOS_TESTNET_DIR") != str(directory):
            continue
        name = variables.get("LOGOS_MODULE") or (KERNEL if "LOGOS_PROFILE" in variables else None)
        if name is not None:
            found.append(NodeProcess(int(entry.name), _node_of(directory, variables), name))
    return sorted(found, key=lambda process: (process.node, process.name != KERNEL, process.pid))


def read_environment(entry: Path) -> dict[str, str]:
    """Reads /proc/<pid>/environ; empty if the process ended or is another user's."""
    try:
        raw = (entry / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (item.decode("utf-8", "replace").partition("=") for item in raw.split(b"\0") if item)
    return {name: value for name, _, value in pairs}


def _node_of(directory: Path, variables: dict[str, str]) -> str:
    state = Path(variables.get("LOGOS_STATE_DIR", ""))
    return state.relative_to(directory).parts[0] if state.is_relative_to(directory) else ""


def send_signal(processes: list[NodeProcess], number: signal.Signals) -> None:
    """Signals each; one that has ended since is no error."""
    for process in processes:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue


def proportional_bytes(processes: list[NodeProcess], proc: Path = _PROC) -> int:
    """Sums their PSS: memory, where a page shared by n processes counts 1/n to each."""
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
