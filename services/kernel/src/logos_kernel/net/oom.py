"""Whether the kernel of the operating system killed a process for want of memory.

It counts such kills by memory cgroup. Where processes share one, a kill is taken for that of the
process which ended by SIGKILL, unless this kernel sent that.
Source: cgroup v2, `memory.events`, and cgroup v1, `memory.oom_control`: the key `oom_kill`.
"""

import re
import signal
from pathlib import Path
from typing import Final

_KILLS: Final = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


class OomKills:
    """Kills of the cgroups of processes.

    Args:
        proc: Where the system shows processes.
        cgroups: Where it shows cgroups.
    """

    def __init__(self, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> None:
        self._proc = proc
        self._cgroups = cgroups
        self._known: dict[Path, int] = {}
        """Kills that belong to no process any more that may still end."""

    def file_of(self, pid: int) -> Path | None:
        """Returns where the kills of a living process's cgroup are counted, if they are."""
        try:
            lines = (self._proc / str(pid) / "cgroup").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            _, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(","):
                file = self._cgroups / "memory" / path.lstrip("/") / "memory.oom_control"
            elif not controllers:
                file = self._cgroups / path.lstrip("/") / "memory.events"
            else:
                continue
            if (count := _count(file)) is not None:
                self._known.setdefault(file, count)
                return file
        return None

    def is_of(self, file: Path | None, code: int | None) -> bool | None:
        """Says whether a process that has ended was killed so; None: that is not known.

        Args:
            file: What `file_of` returned while it lived.
            code: Its exit code; negative: the signal that ended it; None: not known.
        """
        count = None if file is None or code is None else _count(file)
        if file is None or count is None:
            return None
        if code != -signal.SIGKILL or count <= self._known[file]:
            return False
        self._known[file] += 1
        return True


def _count(file: Path) -> int | None:
    try:
        found = _KILLS.search(file.read_text())
    except OSError:
        return None
    return None if found is None else int(found[1])
