"""Modules as processes of this machine.

The testnet's fork server starts those whose code it has loaded; the others, and all where it
does not answer, start by their own command. Their output goes to a file, not to a pipe, and
nothing ties them to this process: they outlive a kernel that is killed, and the next one
watches them again by pidfd (KER-8).
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logos_forkserver import client
from logos_forkserver.client import Forked, ForkServerError
from logos_forkserver.wire import Request
from logos_kernel.core.effects import Signal
from logos_kernel.core.types import Exit, Plan, ProcessId
from logos_kernel.net import logfile
from logos_kernel.net.exits import Exits, Parent
from logos_module.sockets import FOLDER_MODE, restore_folder

log = logging.getLogger(__name__)

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
    fork_server: Path | None = None
    """Socket of the testnet's fork server, if it has one."""
    fork_timeout_s: float = client.FORK_TIMEOUT_S
    """The kernel does nothing else for so long while it waits for a fork."""

    def socket(self, module: str) -> Path:
        """Returns the Unix socket of a module."""
        return self.run_dir / f"{module}.sock"

    def log(self, module: str) -> Path:
        """Returns the log file of a module."""
        return self.log_dir / f"{module}.log"


class Processes:
    """Starts, watches and ends processes. For use on one event loop."""

    def __init__(self, plans: Mapping[str, Plan], places: Places) -> None:
        self._plans = plans
        self._places = places
        self._watched: dict[ProcessId, Exits] = {}
        self._children: dict[ProcessId, subprocess.Popen[bytes] | Forked] = {}
        """Started, and not watched yet."""
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
        variables = self._environment(module, epoch, state_dir)
        output = logfile.open_for_append(places.log(module))
        try:
            process, child = self._fork(module, state_dir, variables, output) or _execute(
                self._plans[module], state_dir, variables, output
            )
        finally:
            os.close(output)
        self._children[process] = child
        return process

    def watch(self, module: str, process: ProcessId, ended: Callable[[Exit], None]) -> None:
        """Has `ended` called once, on the event loop, when the process has ended."""
        parent = self._children.pop(process, None)
        pidfd = self._pidfd_of(process, parent)
        if pidfd is None:
            asyncio.get_running_loop().call_soon(ended, Exit(None))
            return

        def end(code: int | None) -> None:
            del self._watched[process]
            ended(Exit(code, logfile.last_line(self._places.log(module))))

        self._watched[process] = Exits(process.pid, pidfd, parent, end)

    def end(self, process: ProcessId, signal_: Signal) -> None:
        """Signals a process; one that has ended is no error."""
        watched = self._watched.get(process)
        if watched is not None:
            watched.send(_NUMBERS[signal_])

    def lines(self, module: str, *, tail: int, follow: bool) -> AsyncIterator[bytes]:
        """Streams a module's log, oldest line first."""
        return logfile.read_lines(self._places.log(module), tail=tail, follow=follow)

    def close(self) -> None:
        """Watches no longer. Ends nothing."""
        for watched in self._watched.values():
            watched.close()
        self._watched.clear()

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

    def _fork(
        self, module: str, folder: Path, variables: dict[str, str], output: int
    ) -> tuple[ProcessId, Forked] | None:
        """Has the fork server start a module; None where it has to start by its own command."""
        path, plan = self._places.fork_server, self._plans[module]
        if path is None or not plan.manifest.preload:
            return None
        _, _, package, *arguments = plan.manifest.command  # preload says that it is `python -m`
        request = Request(package, tuple(arguments), str(folder), variables)
        try:
            forked = client.fork(path, request, output, timeout_s=self._places.fork_timeout_s)
        except ForkServerError as error:
            extra = {"of": module, "reason": error.reason, "why": str(error)}
            log.warning("module starts by its own command", extra=extra)
            return None
        return ProcessId(forked.pid, forked.start_ticks), forked

    def _pidfd_of(self, process: ProcessId, parent: Parent) -> int | None:
        """Returns a pidfd of this very process; None if it is gone."""
        if isinstance(parent, Forked):
            return parent.pidfd
        try:
            pidfd = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return None
        if parent is None and not self.is_alive(process):
            os.close(pidfd)
            return None
        return pidfd

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


def _execute(
    plan: Plan, folder: Path, variables: dict[str, str], output: int
) -> tuple[ProcessId, subprocess.Popen[bytes]]:
    """Starts a module by its own command, or raises `OSError`."""
    program, *arguments = plan.manifest.command
    child = subprocess.Popen(  # noqa: S603 -- the command is the profile's
        [sys.executable if program == "python" else program, *arguments],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    # Not reaped before its pidfd is read: the pid is its own until then.
    return ProcessId(child.pid, start_ticks(child.pid, dead_too=True) or 0), child
