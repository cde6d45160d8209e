"""The fork server of a testnet of local processes (docs/adr/0016).

`up` starts it, and restarts it if it has died, or its code or environment has changed; kernels
start their modules by it; `down` ends it. Without it, kernels and modules start by their own
commands.
"""

import asyncio
import hashlib
import json
import os
import select
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from logos_forkserver import client, launch
from logos_forkserver.client import Forked, ForkServerError
from logos_forkserver.surroundings import read_at_start
from logos_forkserver.wire import Request
from logos_testnet.errors import UnknownStartError
from logos_testnet.layout import Layout
from logos_testnet.plan import Plan
from logos_testnet.processes import NodeProcess, read_environment, send_signal
from logos_testnet.progress import Note, Report, silent

KERNEL_MODULES: Final = ("logos_kernel.node", "sqlalchemy.dialects.sqlite")
LOAD_TIMEOUT_S: Final = 90.0
END_GRACE_S: Final = 5.0
_POLL_S: Final = 0.05
_ALL_AT_ONCE: Final = 1000
_PROC: Final = Path("/proc")
_DIGEST: Final = "LOGOS_FORK_SERVER_DIGEST"
"""Marks a fork server; a digest of the options that it was started with."""


class ForkServer:
    """Starts, asks and ends the fork server of one testnet."""

    def __init__(self, plan: Plan, layout: Layout, sockets: Path) -> None:
        self._layout = layout
        self._modules = modules_of(plan)
        self._path = sockets / "forks.sock"
        self._serves = False
        self._report: Report = silent
        self._pid = 0
        """Of a server that this process has started, and must reap; 0: none."""
        self._kernels: dict[str, Forked] = {}

    @property
    def variables(self) -> dict[str, str]:
        """Variables for kernels."""
        return {"LOGOS_FORK_SERVER": str(self._path)} if self._serves else {}

    @property
    def turns(self) -> int:
        """How many nodes boot at a time: without the fork server, each occupies a processor."""
        return _ALL_AT_ONCE if self._serves else os.cpu_count() or 1

    async def begin(self, report: Report) -> None:
        """Starts it unless it serves; reports why processes start by their own command."""
        self._serves, self._report = False, report
        if not starts_by_fork(os.environ):
            send_signal(self.processes(), signal.SIGTERM)
            return
        try:
            await self._begin()
        except (ForkServerError, OSError) as error:
            why = f"{error}; see {self._layout.fork_server_log}"
            report(Note(f"every process starts by its own command: {why}"))
        else:
            self._serves = True

    def start_kernel(self, node: str, variables: Mapping[str, str], log: Path) -> int | None:
        """Forks a kernel; returns its pid, or None if it must start by its own command."""
        if not self._serves:
            return None
        request = Request("logos_kernel", folder=".", variables=dict(variables))
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            forked = client.fork(self._path, request, output)
        except ForkServerError as error:
            self._report(Note(f"{node} starts by its own command: {error}"))
            return None
        finally:
            os.close(output)
        self._kernels[node] = forked
        return forked.pid

    def reap(self) -> dict[str, int]:
        """Returns the exit codes of forked kernels that have ended since the last call, by node."""
        if self._pid and os.waitpid(self._pid, os.WNOHANG)[0]:
            self._pid = 0
        codes = {}
        for node, forked in list(self._kernels.items()):
            if select.select([forked.connection], [], [], 0)[0]:
                code = forked.exit_code()
                if code is not None:
                    codes[node] = code
                forked.close()
                del self._kernels[node]
        return codes

    async def end(self) -> None:
        """Ends every fork server of the testnet."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGKILL):
            send_signal(self.processes(), number)
            until = loop.time() + END_GRACE_S
            while self.processes() and loop.time() < until:  # noqa: ASYNC110 - other processes
                await asyncio.sleep(_POLL_S)
        self._path.unlink(missing_ok=True)
        for forked in self._kernels.values():
            forked.close()
        self._kernels.clear()

    def processes(self) -> list[NodeProcess]:
        """Returns the fork servers of the testnet, also those that wait for their last children."""
        self.reap()
        return find_fork_servers(self._layout.directory)

    async def _begin(self) -> None:
        digest = self._digest()
        running = self.processes()
        if any(each.variables.get(_DIGEST) == digest for each in running):
            try:
                await self._check()
            except ForkServerError:
                pass
            else:
                return
        send_signal(running, signal.SIGTERM)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LOGOS_")}
        own = {"LOGOS_TESTNET_DIR": str(self._layout.directory), _DIGEST: digest}
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._pid = launch.start(
            self._path, self._modules, variables=kept | own, output=self._layout.fork_server_log
        )
        await self._check()

    async def _check(self) -> None:
        """Waits until the server has loaded and answers; raises `ForkServerError`."""
        loop = asyncio.get_running_loop()
        connection = client.begin_check(self._path)
        answered = asyncio.Event()
        loop.add_reader(connection, answered.set)
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                await answered.wait()
        except TimeoutError as error:
            raise ForkServerError(f"no answer within {LOAD_TIMEOUT_S:.0f} s") from error
        finally:
            loop.remove_reader(connection)
            if not answered.is_set():
                connection.close()
        client.end_check(connection)

    def _digest(self) -> str:
        read = read_at_start(os.environ)
        started_with = [self._modules, sys.executable, str(self._layout.directory), read]
        return hashlib.sha256(json.dumps(started_with, sort_keys=True).encode()).hexdigest()[:16]


def starts_by_fork(variables: Mapping[str, str]) -> bool:
    """Returns whether LOGOS_START is `fork`, the default; raises `UnknownStartError`."""
    start = variables.get("LOGOS_START") or "fork"
    if start not in {"fork", "exec"}:
        raise UnknownStartError(f"LOGOS_START must be fork or exec, is {start!r}")
    return start == "fork"


def find_fork_servers(directory: Path, proc: Path = _PROC) -> list[NodeProcess]:
    """Finds the fork servers of the testnet in `directory`."""
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        variables = read_environment(entry)
        if _DIGEST in variables and _folder_now(entry, variables) == directory:
            found.append(NodeProcess(int(entry.name), "", "fork server", variables))
    return found


def _folder_now(entry: Path, variables: Mapping[str, str]) -> Path:
    """Returns the folder of a server's testnet: that of its log, else that of its variable."""
    try:
        log = (entry / "fd" / "1").readlink()
    except OSError:
        log = Path()
    return log.parent if log.is_absolute() else Path(variables["LOGOS_TESTNET_DIR"])


def modules_of(plan: Plan) -> tuple[str, ...]:
    """Returns the Python modules that the server of a testnet loads, in order, each once."""
    modules = [module.manifest.preload for node in plan.nodes for module in node.modules]
    return tuple(dict.fromkeys([*KERNEL_MODULES, *(name for each in modules for name in each)]))
