"""What a module that is a process may use: the limits of its manifest (KER-26).

By a cgroup (v2) of its own where the kernel was given a folder for them, `LOGOS_CGROUP`; else by
limits of the process, which know neither its children nor processor time.
"""

import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

from logos_base.errors import ErrorKind, LocalFaultError
from logos_base.needs import Limits

OPEN_FILES: Final = 8192
"""As in containers."""
DATA_BESIDE_BYTES: Final = 1024 * 1024 * 1024
"""Address space for data beyond the memory of a module: stacks of threads, pages never touched."""

_CONTROLLERS: Final = frozenset({"cpu", "memory", "pids"})
_MIB: Final = 1024 * 1024
_CPU_PERIOD_US: Final = 100_000


class CgroupUnusableError(LocalFaultError):
    """The folder for cgroups does not limit what it should."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "CGROUP_UNUSABLE"


class ProcessLimits:
    """Limits of the processes themselves: files, and address space for data."""

    words = "open files and data of each process; processors and processes are not limited"

    def apply(self, _module: str, _epoch: int, pid: int, limits: Limits) -> None:
        """Limits a process that was just started; one that has ended is no error."""
        data_bytes = limits.memory_mib * _MIB + DATA_BESIDE_BYTES
        with suppress(ProcessLookupError):
            for kind, wanted in (
                (resource.RLIMIT_NOFILE, OPEN_FILES),
                (resource.RLIMIT_DATA, data_bytes),
            ):
                _, most = resource.prlimit(pid, kind)
                value = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
                resource.prlimit(pid, kind, (value, value))

    def release(self, module: str) -> None:
        """Has nothing to remove."""


class Cgroups(ProcessLimits):
    """A cgroup for each start of a module: memory, processors and processes, children included.

    Args:
        folder: A cgroup (v2) without processes, which this kernel may change.

    Raises:
        CgroupUnusableError: It is none, or lacks a controller.
    """

    words = "a cgroup for each start: memory, processors, processes; and open files"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            has = set((folder / "cgroup.controllers").read_text(encoding="ascii").split())
            if missing := sorted(_CONTROLLERS - has):
                raise CgroupUnusableError(f"{folder} has no controllers {', '.join(missing)}")
            enabled = " ".join(f"+{name}" for name in sorted(_CONTROLLERS))
            (folder / "cgroup.subtree_control").write_text(enabled, encoding="ascii")
        except OSError as error:
            raise CgroupUnusableError(f"{folder}: {error.strerror}") from error

    def apply(self, module: str, epoch: int, pid: int, limits: Limits) -> None:
        """Moves a process into a cgroup of its own, or raises `OSError`."""
        super().apply(module, epoch, pid, limits)
        own = self._folder / f"{module}.{epoch}"
        own.mkdir(exist_ok=True)
        for name, value in (
            ("memory.max", str(limits.memory_mib * _MIB)),
            ("pids.max", str(limits.processes)),
            ("cpu.max", f"{int(limits.cpus * _CPU_PERIOD_US)} {_CPU_PERIOD_US}"),
            ("cgroup.procs", str(pid)),
        ):
            with suppress(ProcessLookupError):
                (own / name).write_text(value, encoding="ascii")

    def release(self, module: str) -> None:
        """Removes the cgroups of a module in which nothing runs any more."""
        for own in self._folder.glob(f"{module}.*"):
            with suppress(OSError):  # something still runs there
                own.rmdir()
