"""The Logos App as one more process of a testnet: found by its environment, as kernels are."""

import asyncio
import http.client
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from logos_client.link_codes import new_code
from logos_testnet.errors import AppFailedError, NotStoppedError
from logos_testnet.layout import Layout
from logos_testnet.plan import Plan
from logos_testnet.ports import refuse_taken
from logos_testnet.processes import NodeProcess, read_environment, send_signal

APP: Final = "app"
START_S: Final = 60.0
STOP_S: Final = 10.0
_POLL_S: Final = 0.05
_MARK: Final = "LOGOS_APP_TESTNET"
_TAIL: Final = 2000


class AppProcess:
    """The app of a testnet; it has none where the topology gives it no port."""

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self._plan = plan
        self._layout = layout

    def processes(self, proc: Path = Path("/proc")) -> list[NodeProcess]:
        """Returns the app's process, if it runs."""
        found = []
        for entry in proc.iterdir():
            if not entry.name.isdecimal():
                continue
            variables = read_environment(entry)
            folder = variables.get("LOGOS_TESTNET_DIR")
            if _MARK in variables and folder == str(self._layout.directory):
                found.append(NodeProcess(int(entry.name), "", APP, variables))
        return found

    async def start(self) -> str | None:
        """Starts it if it does not run, and returns a one-time link; None if it has no port.

        One that was started with other nodes or another port is started again.

        Raises:
            PortInUseError: Another program holds the port.
            AppFailedError: It ended, or does not answer.
            OSError: The link cannot be written.
        """
        if self._plan.topology.app_port is None:
            return None
        variables = self._variables(self._plan.topology.app_port)
        running = self.processes()
        if any(not _is_same(process.variables, variables) for process in running):
            await self.stop()
            running = []
        if not running:
            refuse_taken({self._plan.topology.app_port: "the app"})
            pid = _execute(variables, self._layout.app_log)
            await self._wait(pid, self._plan.topology.app_port)
        return self.link()

    async def stop(self) -> bool:
        """Stops it; False if it did not run.

        Raises:
            NotStoppedError: It still runs.
        """
        processes = self.processes()
        for number, limit in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
            send_signal(self.processes(), number)
            loop = asyncio.get_running_loop()
            until = loop.time() + limit
            while (left := self._alive()) and loop.time() < until:  # noqa: ASYNC110 - a process
                await asyncio.sleep(_POLL_S)
            if not left:
                return bool(processes)
        raise NotStoppedError(f"still running: the app, process {self.processes()[0].pid}")

    def link(self) -> str | None:
        """Makes a one-time link; None if the testnet has no app."""
        port = self._plan.topology.app_port
        if port is None:
            return None
        code = new_code(self._layout.app_state / "links")
        return f"{app_address(self._plan.topology.name, port)}/open#{code}"

    def _alive(self) -> list[NodeProcess]:
        """Returns what still runs, after collecting what has ended of our own children."""
        found = self.processes()
        for process in found:
            try:
                os.waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:
                continue  # another command's child
        return self.processes()

    async def _wait(self, pid: int, port: int) -> None:
        """Waits until it answers."""
        loop = asyncio.get_running_loop()
        until = loop.time() + START_S
        host = f"{self._plan.topology.name}.localhost:{port}"
        while not await asyncio.to_thread(_answers, port, host):
            if self._has_ended(pid):
                raise AppFailedError(f"the app has ended:\n{self._last_words()}")
            if loop.time() > until:
                raise AppFailedError(
                    f"the app does not answer at port {port}:\n{self._last_words()}"
                )
            await asyncio.sleep(_POLL_S)

    def _has_ended(self, pid: int) -> bool:
        try:
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            return True

    def _last_words(self) -> str:
        try:
            return self._layout.app_log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]
        except OSError:
            return f"it left no log in {self._layout.app_log}"

    def _variables(self, port: int) -> dict[str, str]:
        return {
            "LOGOS_TESTNET_DIR": str(self._layout.directory),
            _MARK: self._plan.topology.name,
            "LOGOS_APP_NODES": " ".join(f"{n.name}={n.front}" for n in self._plan.nodes),
            "LOGOS_APP_OTHERS": " ".join(panels_of_others(self._plan)),
            "LOGOS_OPERATOR_TOKEN": str(self._layout.operator_token),
            "LOGOS_STATE_DIR": str(self._layout.app_state),
            "LOGOS_LISTEN": f"127.0.0.1:{port}",
        }


def panels_of_others(plan: Plan) -> list[str]:
    """The pages that modules have of their own, as the app's settings name them.

    That of the first node that has the module.
    """
    found: dict[str, str] = {}
    for node in plan.nodes:
        for module in node.modules:
            panel = module.manifest.needs.panel
            if panel is not None:
                word = f"{module.name}:{quote(panel.title, safe='')}={module.panel}"
                found.setdefault(module.name, word)
    return [found[name] for name in sorted(found)]


def app_address(testnet: str, port: int) -> str:
    """The address of a testnet's app: a host of its own, since cookies do not tell ports apart."""
    return f"http://{testnet}.localhost:{port}"


def _is_same(had: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(had.get(name) == value for name, value in wanted.items())


def _execute(variables: Mapping[str, str], log: Path) -> int:
    """Starts the app by its own command."""
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOGOS_")}
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "logos_app"],
        {"GRPC_VERBOSITY": "ERROR", "PYTHONSAFEPATH": "1", **kept, **variables},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _answers(port: int, host: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
