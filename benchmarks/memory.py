"""Memory of processes, from /proc. Linux only."""

from pathlib import Path
from typing import Final

from logos_testnet.processes import NodeProcess

_PROC: Final = Path("/proc")


def forget_peak(process: NodeProcess) -> None:
    """Sets the peak of a process to what is resident now."""
    (_PROC / str(process.pid) / "clear_refs").write_text("5", encoding="ascii")


def peak_mib(process: NodeProcess) -> float:
    """Most memory that was resident since `forget_peak`, MiB. The kernel's own figure: no
    sample can miss it.
    """
    text = (_PROC / str(process.pid) / "status").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
