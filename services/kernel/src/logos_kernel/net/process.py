"""Modules as processes of this machine.

The testnet's fork server starts those whose code it has loaded; the others, and all where it
does not answer, start by their own command. Their output goes to a file, not to a pipe, and
nothing ties them to this process: they outlive a kernel that is killed, and the next one
watches them again by pidfd (KER-8).
"""

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from logos_forkserver import client
from logos_forkserver.client import Forked, ForkServerError
from logos_forkserver.wire import Request
from logos_kernel.core.effects import Signal
from logos_kernel.core.ports import Ended, Starts
from logos_kernel.core.types import MAX_SOCKET_PATH_BYTES, Exit, Places, Plan, ProcessId, Usage
from logos_kernel.core.views import View
from logos_kernel.net import logfile
from logos_kernel.net.exits import Parent, WatchedProcess, kill_group
from logos_kernel.net.limits import Cgroups, ProcessLimits
from logos_kernel.net.oom import OomKills
from logos_kernel.net.usage import usage_of
from logos_module.sockets import FOLDER_MODE, restore_folder

log = logging.getLogger(__name__)

FORK_PAUSE_S: Final = 30.0
"""A fork server that did not answer in time is not asked again for so long."""

_KEPT: Final = ("LOGOS_LOG_LEVEL", "LOGOS_TESTNET_DIR")
"""The kernel's own LOGOS_ variables that its modules get too."""


class Processes:
    """Starts, watches and ends processes. For use on one event loop.

    Args:
        starts: What is started.
        places: Where they live.
        environment: Of the kernel itself.
        fork_timeout_s: For the fork server to answer.
    """

    def __init__(
        self,
        starts: Starts,
        places: Places,
        environment: Mapping[str, str],
        *,
        fork_timeout_s: float = client.FORK_TIMEOUT_S,
    ) -> None:
        self._starts = starts
        self._places = places
        self._environment = environment
        self._fork_timeout_s = fork_timeout_s
        self._fork_again_s = 0.0
        """When the fork server may be asked again, in seconds of `time.monotonic`."""
        self._watched: dict[ProcessId, WatchedProcess] = {}
        self._oom_kills = OomKills()
        self._limits = ProcessLimits() if places.cgroup is None else Cgroups(places.cgroup)
        log.info("limits of modules", extra={"by": self._limits.words})
        self._has_folders = False

    async def run(self) -> None:
        """Has nothing to do: the event loop watches the pidfds."""

    def show(self, views: Sequence[View]) -> None:
        """Does nothing: states of modules have no meaning here."""

    def is_alive(self, process: ProcessId) -> bool:
        """Says whether this very process still runs."""
        return start_ticks(process.pid) == process.start_ticks

    async def start(self, module: str, epoch: int, ended: Ended) -> ProcessId:
        """Starts a process of a module and watches it, or raises `OSError`.

        In a thread: a disk or a fork server that hangs must not stop the calls of clients.
        """
        process, pidfd, parent = await asyncio.to_thread(self._start, module, epoch)
        self._watch(module, process, pidfd, parent, ended)
        return process

    def watch(self, module: str, process: ProcessId, ended: Ended) -> None:
        """Watches a process that an earlier kernel started."""
        with suppress(ProcessLookupError):
            pidfd = os.pidfd_open(process.pid)
            if self.is_alive(process):
                self._watch(module, process, pidfd, None, ended)
                return
            os.close(pidfd)  # of another process, which has its pid now
        asyncio.get_running_loop().call_soon(ended, process, Exit(None))

    def end(self, process: ProcessId, signal: Signal) -> None:
        """Signals a process; one that has ended is no error."""
        watched = self._watched.get(process)
        if watched is not None:
            watched.send(signal)

    async def usage(self, process: ProcessId) -> Usage | None:
        """Returns what a process has used; None if it has ended."""
        return await asyncio.to_thread(usage_of, process.pid) if self.is_alive(process) else None

    def lines(
        self, module: str, *, tail: int, follow: bool, since_ms: int | None = None
    ) -> AsyncIterator[bytes]:
        """Streams a module's log, oldest line first."""
        path = self._places.log(module)
        return logfile.read_lines(path, tail=tail, follow=follow, since_ms=since_ms)

    def close(self) -> None:
        """Watches no longer. Ends nothing."""
        for watched in self._watched.values():
            watched.close()
        self._watched.clear()

    def _watch(
        self, module: str, process: ProcessId, pidfd: int, parent: Parent, ended: Ended
    ) -> None:
        def end(code: int | None) -> None:
            del self._watched[process]
            self._limits.release(module)
            lines = logfile.last_lines(self._places.log(module))
            is_oom = False if watched.was_killed else self._oom_kills.is_of(kills, code)
            ended(process, Exit(code, lines, is_oom))

        kills = self._oom_kills.file_of(process.pid)
        watched = self._watched[process] = WatchedProcess(process.pid, pidfd, parent, end)

    def _start(self, module: str, epoch: int) -> tuple[ProcessId, int, Parent]:
        """Returns a new process, a pidfd of it, and where its exit code will come from."""
        folder = self._places.state_dir / module
        plan = self._starts.plan_of(module, epoch)
        self._make_folders()
        folder.mkdir(exist_ok=True)
        variables = self._variables(plan, epoch, folder)
        output = logfile.open_for_append(self._places.log(module))
        try:
            started: tuple[ProcessId, int, Parent]
            forked = self._fork(plan, folder, variables, output)
            if forked is not None:
                started = ProcessId(forked.pid, forked.start_ticks), forked.pidfd, forked
            else:
                started = _execute(plan, folder, variables, output)
        finally:
            os.close(output)
        self._limit(plan, epoch, *started)
        return started

    def _limit(
        self, plan: Plan, epoch: int, process: ProcessId, pidfd: int, parent: Parent
    ) -> None:
        """Limits a new process; one that cannot be is ended, and the error is raised."""
        try:
            manifest = plan.manifest
            self._limits.apply(manifest.name, epoch, process.pid, manifest.needs.limits)
        except OSError:
            kill_group(process.pid)
            os.close(pidfd)
            if isinstance(parent, Forked):
                parent.connection.close()
            elif parent is not None:
                parent.wait()
            raise

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
        self, plan: Plan, folder: Path, variables: dict[str, str], output: int
    ) -> Forked | None:
        """Has the fork server start a module; None where it has to start by its own command."""
        path, manifest = self._places.fork_server, plan.manifest
        is_loaded = manifest.preload and not plan.directory  # the server knows no other versions
        if path is None or not is_loaded or time.monotonic() < self._fork_again_s:
            return None
        _, _, package, *arguments = manifest.command  # preload says that it is `python -m`
        request = Request(package, tuple(arguments), str(folder), variables)
        try:
            return client.fork(path, request, output, timeout_s=self._fork_timeout_s)
        except ForkServerError as error:
            if isinstance(error.__cause__, TimeoutError):
                self._fork_again_s = time.monotonic() + FORK_PAUSE_S
            extra = {"of": manifest.name, "reason": error.reason, "why": str(error)}
            log.warning("module starts by its own command", extra=extra)
            return None

    def _variables(self, plan: Plan, epoch: int, folder: Path) -> dict[str, str]:
        own, module = self._environment, plan.manifest.name
        socket = self._places.socket(module)
        is_beside = self._starts.is_beside(module)
        if is_beside:  # the process that serves at the usual one removes it when it ends
            socket = socket.with_suffix(f".{epoch}.sock")
        if len(bytes(socket)) > MAX_SOCKET_PATH_BYTES:
            raise OSError(f"{socket} is over {MAX_SOCKET_PATH_BYTES} bytes: shorten LOGOS_RUN_DIR")
        inherited = {key: own[key] for key in own if not key.startswith("LOGOS_") or key in _KEPT}
        return {
            **inherited,
            **_of_installed(plan, inherited),
            **({"LOGOS_BESIDE": "1"} if is_beside else {}),
            "LOGOS_MODULE": module,
            "LOGOS_KERNEL": self._places.kernel_target,
            "LOGOS_LISTEN": f"unix:{socket}",
            "LOGOS_STATE_DIR": str(folder),
            "LOGOS_EPOCH": str(epoch),
            "LOGOS_JOIN_SECRET": str(self._places.join_secret(module)),
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


def _of_installed(plan: Plan, inherited: Mapping[str, str]) -> dict[str, str]:
    """Returns where an installed version is: Python finds its package there first (KER-49)."""
    if not plan.directory:
        return {}
    folder = Path(plan.directory)
    root = folder.parent if (folder / "__init__.py").exists() else folder
    python_path = os.pathsep.join(filter(None, (str(root), inherited.get("PYTHONPATH"))))
    return {"LOGOS_MODULE_DIR": plan.directory, "PYTHONPATH": python_path}


def _execute(
    plan: Plan, folder: Path, variables: dict[str, str], output: int
) -> tuple[ProcessId, int, Parent]:
    """Starts a module by its own command, or raises `OSError`."""
    program, *arguments = plan.manifest.command
    if program.startswith("./") and plan.directory:
        program = str(Path(plan.directory, program))
    try:
        child = subprocess.Popen(  # noqa: S603 -- the command is the profile's
            [sys.executable if program == "python" else program, *arguments],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except ValueError as error:  # a zero byte in the command
        raise OSError(f"{program!r} cannot be run: {error}") from error
    # Not reaped before its pidfd is closed: the pid is its own until then.
    try:
        process = ProcessId(child.pid, start_ticks(child.pid, dead_too=True) or 0)
        return process, os.pidfd_open(child.pid), child
    except OSError:  # too many open files
        kill_group(child.pid)
        child.wait()
        raise
