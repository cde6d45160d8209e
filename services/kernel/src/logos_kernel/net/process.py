"""Modules as processes of this machine.

They are spawned, never forked; their output goes to a file, not to a pipe, and
nothing ties them to this process: they outlive a kernel that is killed, and the
next one watches them again by pidfd (KER-8).
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logos_kernel.core.effects import Signal
from logos_kernel.core.types import Exit, Plan, ProcessId
from logos_kernel.net import logfile
from logos_module.sockets import FOLDER_MODE, restore_folder

_NUMBERS: Final = {Signal.TERM: signal.SIGTERM, Signal.KILL: signal.SIGKILL}
_KEPT: Final = ("LOGOS_LOG_LEVEL", "LOGOS_TESTNET_DIR")
"""The kernel's own LOGOS_ variables that its modules get too."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where modules live, and what they are told."""

    kernel_target: str
    run_dir: Path
    state_dir: Path
    log_dir: Path
    environment: Mapping[str, str]
    """Of the kernel itself."""

    def socket(self, module: str) -> Path:
        """Returns the Unix socket of a module."""
        return self.run_dir / f"{module}.sock"

    def log(self, module: str) -> Path:
        """Returns the log file of a module."""
        return self.log_dir / f"{module}.log"


@dataclass(slots=True)
class _Watched:
    pidfd: int
    child: subprocess.Popen[bytes] | None
    """None: started by an earlier kernel."""


class Processes:
    """Starts, watches and ends processes. For use on one event loop."""

    def __init__(self, plans: Mapping[str, Plan], places: Places) -> None:
        self._plans = plans
        self._places = places
        self._watched: dict[ProcessId, _Watched] = {}
        self._children: dict[ProcessId, subprocess.Popen[bytes]] = {}
        self._has_folders = False

    def is_alive(self, process: ProcessId) -> bool:
        """Says whether this very process still runs."""
        return start_ticks(process.pid) == process.start_ticks

    def start(self, module: str, epoch: int) -> ProcessId:
        """Starts a process of a module, or raises `OSError`."""
        places = self._places
        state_dir = places.state_dir / module
        self._make_folders()
        state_dir.mkdir(exist_ok=True)
        log = logfile.open_for_append(places.log(module))
        try:
            child = subprocess.Popen(  # noqa: S603 -- the command is the profile's
                _command(self._plans[module]),
                cwd=state_dir,
                env=self._environment(module, epoch, state_dir),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)
        # Not reaped before its pidfd is read: the pid is its own until then.
        process = ProcessId(child.pid, start_ticks(child.pid, dead_too=True) or 0)
        self._children[process] = child
        return process

    def watch(self, module: str, process: ProcessId, ended: Callable[[Exit], None]) -> None:
        """Has `ended` called once, on the event loop, when the process has ended."""
        loop = asyncio.get_running_loop()
        child = self._children.pop(process, None)
        try:
            pidfd = os.pidfd_open(process.pid)
        except ProcessLookupError:
            loop.call_soon(ended, Exit(None))
            return
        if child is None and not self.is_alive(process):
            os.close(pidfd)
            loop.call_soon(ended, Exit(None))
            return
        self._watched[process] = _Watched(pidfd, child)

        def readable() -> None:
            self._unwatch(process)
            _kill_group(process.pid)
            code = None if child is None else child.wait()
            ended(Exit(code, logfile.last_line(self._places.log(module))))

        loop.add_reader(pidfd, readable)

    def end(self, process: ProcessId, signal_: Signal) -> None:
        """Signals a process; one that has ended is no error."""
        watched = self._watched.get(process)
        if watched is None:
            return
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(watched.pidfd, _NUMBERS[signal_])
        if signal_ is Signal.KILL:
            _kill_group(process.pid)

    def lines(self, module: str, *, tail: int, follow: bool) -> AsyncIterator[bytes]:
        """Streams a module's log, oldest line first."""
        return logfile.read_lines(self._places.log(module), tail=tail, follow=follow)

    def close(self) -> None:
        """Watches no longer. Ends nothing."""
        for process in list(self._watched):
            self._unwatch(process)

    def _make_folders(self) -> None:
        """Makes them at the first start; later only sockets may have been swept away.

        If the others are gone, they were moved with the checkout: nothing new shall
        appear where they were.
        """
        places = self._places
        if self._has_folders:
            restore_folder(places.run_dir)
            return
        places.state_dir.mkdir(parents=True, exist_ok=True)
        places.run_dir.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self._has_folders = True

    def _unwatch(self, process: ProcessId) -> None:
        pidfd = self._watched.pop(process).pidfd
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)

    def _environment(self, module: str, epoch: int, state_dir: Path) -> dict[str, str]:
        own = self._places.environment
        inherited = {key: own[key] for key in own if not key.startswith("LOGOS_") or key in _KEPT}
        return {
            **inherited,
            "LOGOS_MODULE": module,
            "LOGOS_KERNEL": self._places.kernel_target,
            "LOGOS_LISTEN": f"unix:{self._places.socket(module)}",
            "LOGOS_STATE_DIR": str(state_dir),
            "LOGOS_EPOCH": str(epoch),
            "PYTHONSAFEPATH": "1",  # its state folder is no place to import from
            "PYTHONUNBUFFERED": "1",
        }


def start_ticks(pid: int, *, dead_too: bool = False) -> int | None:
    """Returns when a process was started, in clock ticks since boot; None if it has ended.

    Source: proc_pid_stat(5), fields 3 and 22.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    if fields[0] in {"Z", "X"} and not dead_too:
        return None
    return int(fields[19])


def _command(plan: Plan) -> list[str]:
    program, *arguments = plan.manifest.command
    return [sys.executable if program == "python" else program, *arguments]


def _kill_group(pid: int) -> None:
    """Ends what a module has started itself and left behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
