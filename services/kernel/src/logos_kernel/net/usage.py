"""What a process of this machine uses, from /proc (KER-43).

Source: proc_pid_stat(5), proc_pid_io(5).
"""

import os
from pathlib import Path
from typing import Final

from logos_kernel.core.stats import Usage

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def usage_of(pid: int) -> Usage | None:
    """Returns what a process uses; None if there is none with that pid."""
    folder = Path(f"/proc/{pid}")
    try:
        text = (folder / "stat").read_text(encoding="ascii", errors="replace")
        moved = _moved(folder / "io")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the third field is the first
    return Usage(
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS,
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
        read_bytes=moved.get("read_bytes", 0),
        written_bytes=moved.get("write_bytes", 0),
        threads=int(fields[17]),
    )


def _moved(path: Path) -> dict[str, int]:
    """Returns the counts of a file `io`; none where the kernel may not read it."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except PermissionError:
        return {}
    return {key: int(value) for key, _, value in (line.partition(": ") for line in lines)}
