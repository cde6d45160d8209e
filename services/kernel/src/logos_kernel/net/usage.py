"""What a process of this machine has used: proc(5)."""

import os
import re
from pathlib import Path
from typing import Final

from logos_kernel.core.types import Usage

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_PSS: Final = re.compile(r"^Pss: +(\d+) kB$", re.MULTILINE)


def usage_of(pid: int) -> Usage | None:
    """Returns what a process has used itself, without its children; None if it has ended.

    Takes milliseconds: the system walks its pages for the proportional part.
    """
    folder = Path("/proc", str(pid))
    try:
        fields = (folder / "stat").read_text(encoding="ascii", errors="replace")
        read_bytes, written_bytes = _io_of(folder / "io")
        pss_bytes = _pss_of(folder / "smaps_rollup")
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = fields.rpartition(")")[2].split()  # from field 3 on
    ticks = int(after_name[11]) + int(after_name[12])  # user and system
    rss_bytes = int(after_name[21]) * _PAGE_BYTES
    return Usage(ticks / _TICKS_PER_S, rss_bytes, read_bytes, written_bytes, pss_bytes)


def _pss_of(path: Path) -> int:
    """Returns the proportional bytes in RAM; 0 where they may not be read."""
    try:
        text = path.read_text(encoding="ascii")
    except PermissionError:
        return 0
    found = _PSS.search(text)
    return 0 if found is None else int(found[1]) * 1024


def _io_of(path: Path) -> tuple[int | None, int | None]:
    """Returns what was read from and written to disks; None where that may not be read."""
    try:
        text = path.read_text(encoding="ascii")
    except PermissionError:
        return None, None
    counts = dict(line.split(": ") for line in text.splitlines())
    return int(counts["read_bytes"]), int(counts["write_bytes"])
