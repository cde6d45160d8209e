"""A kernel process with modules of echo services, for tests."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
from gates import BEARER, borne

from logos.kernel.v1 import (
    events_pb2,
    events_pb2_grpc,
    installer_pb2_grpc,
    kernel_pb2,
    kernel_pb2_grpc,
    module_pb2,
    supervisor_pb2_grpc,
)
from logos_client.channels import open_channel

SUPPORT = Path(__file__).parent
WAIT_S = 60.0

_MAIN = (
    "import sys, echo_module, echo_service\n"
    "from logos_module import run\n"
    'echo_service.define("test.{name}")\n'
    'sys.exit(run(echo_module.node, package="{name}"))\n'
)

FAST = {
    "backoff_base_ms": 50,
    "backoff_max_ms": 400,
    "max_restarts": 1000,
}


class Node:
    """One node in a folder of its own: profile, modules, state, and its kernel's process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.front = f"unix:{root}/front.sock"
        self.sockets = root / "sockets"
        """What is swept away where sockets stand in a folder for temporary files."""
        self.run_dir = self.sockets / "run"
        self.listen = f"unix:{self.run_dir}/k.sock"
        self.state_dir = root / "kernel"
        self.operator_token = root / "operator.token"
        self.operator_token.write_text(f"{BEARER}\n")
        self.kernel: subprocess.Popen[bytes] | None = None
        self.channel: Any = None
        self.modules: dict[str, dict[str, Any]] = {}

    def connect(self) -> None:
        """Opens a channel to the front door; it belongs to the running event loop."""
        self.channel = borne(open_channel(self.front))

    def add(
        self, name: str, *, requires: Sequence[str] = (), manifest: str = "", **settings: Any
    ) -> None:
        """Adds a module to the profile; `manifest` is more text of its own."""
        package = self.root / "packages" / name
        calls = [f"test.{settings['peer']}.Echo/*"] if "peer" in settings else []
        package.mkdir(parents=True)
        text = (
            f'name = "{name}"\nversion = "0.1.0"\n'
            f'command = ["python", "-m", "{name}"]\n'
            f"requires = {list(requires)!r}\n"
            f'services = ["test.{name}.Echo"]\n'
            f"calls = {calls!r}\n{manifest}"
        )
        (package / "__init__.py").touch()
        (package / "module.toml").write_text(text)
        (package / "__main__.py").write_text(_MAIN.format(name=name))
        self.modules[name] = settings

    def make_version(self, name: str, number: str, *, manifest: str = "", body: str = "") -> Path:
        """Makes a folder with a version of a module; `body` replaces what its process does."""
        package = self.root / "versions" / number / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "module.toml").write_text(
            f'name = "{name}"\nversion = "{number}"\ncommand = ["python", "-m", "{name}"]\n'
            f'services = ["test.{name}.Echo"]\n{manifest}'
        )
        (package / "__main__.py").write_text(body or _MAIN.format(name=name))
        return package

    def installer(self) -> Any:
        """Returns a stub."""
        return installer_pb2_grpc.InstallerStub(self.channel)

    def write_profile(self, **policy: int) -> None:
        """Writes the profile."""
        lines = ["schema = 1", 'testnet = "test"', 'node = "node1"', 'runtime = "process"']
        lines += ["[kernel]", *(f"{key} = {value}" for key, value in (FAST | policy).items())]
        for name, settings in self.modules.items():
            lines += [f"[modules.{name}]", f'manifest = "packages/{name}/module.toml"']
            lines += [f"[modules.{name}.settings]"]
            lines += [f"{key} = {value!r}" for key, value in settings.items()]
        (self.root / "profile.toml").write_text("\n".join(lines) + "\n")

    def environment(self) -> dict[str, str]:
        """Returns the environment of the kernel."""
        return {
            **os.environ,
            "PYTHONPATH": f"{SUPPORT}:{self.root / 'packages'}",
            "LOGOS_PROFILE": str(self.root / "profile.toml"),
            "LOGOS_STATE_DIR": str(self.state_dir),
            "LOGOS_FRONT": self.front,
            "LOGOS_LISTEN": self.listen,
            "LOGOS_OPERATOR_TOKEN": str(self.operator_token),
            "LOGOS_RUN_DIR": str(self.run_dir),
            "LOGOS_MODULES_STATE_DIR": str(self.root / "modules"),
            "LOGOS_MODULES_LOG_DIR": str(self.root / "logs"),
        }

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        """Starts a kernel; its output goes to `kernel.log`."""
        with (self.root / "kernel.log").open("ab") as log:
            kernel = subprocess.Popen(
                [sys.executable, "-m", "logos_kernel"],
                env=self.environment() | environment,
                stdout=log,
                stderr=subprocess.PIPE if environment.get("CAPTURE") else log,
                start_new_session=True,
            )
        self.kernel = self.kernel or kernel
        return kernel

    async def status(self) -> kernel_pb2.GetStatusResponse:
        """Asks the kernel."""
        stub: Any = kernel_pb2_grpc.KernelStub(self.channel)
        response: kernel_pb2.GetStatusResponse = await stub.GetStatus(
            kernel_pb2.GetStatusRequest(), timeout=20, wait_for_ready=True
        )
        return response

    async def module(self, name: str) -> module_pb2.Module:
        """Returns one module as the kernel sees it."""
        return next(one for one in (await self.status()).modules if one.name == name)

    async def until(
        self, is_so: Callable[[kernel_pb2.GetStatusResponse], object]
    ) -> kernel_pb2.GetStatusResponse:
        """Polls the status until something is so; fails with the kernel's log otherwise."""
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    with suppress(grpc.aio.AioRpcError):
                        status = await self.status()
                        if is_so(status):
                            return status
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(self.story()) from None

    async def until_ready(self) -> kernel_pb2.GetStatusResponse:
        """Waits until the whole node is ready."""
        return await self.until(lambda status: status.ready)

    async def until_state(self, name: str, state: str) -> module_pb2.Module:
        """Waits for a state of a module."""
        value = module_pb2.ModuleState.Value(f"MODULE_STATE_{state}")
        await self.until(lambda status: _named(status, name).state == value)
        return await self.module(name)

    def supervisor(self) -> Any:
        """Returns a stub."""
        return supervisor_pb2_grpc.SupervisorStub(self.channel)

    async def note(self) -> None:
        """Writes an event; what the kernel was about to write before is written then, too."""
        stub: Any = events_pb2_grpc.EventsStub(self.channel)
        events = [events_pb2.NewEvent(payload=b"x")]
        await stub.Publish(events_pb2.PublishRequest(topic="operator/note", events=events))

    def story(self) -> str:
        """Returns all logs, for a failed test."""
        files = [self.root / "kernel.log", *sorted((self.root / "logs").glob("*.log"))]
        return "\n".join(f"--- {one.name}\n{one.read_text()[-6000:]}" for one in files)

    def record(self, module: str) -> dict[str, Any]:
        """Returns what the kernel has noted of a module, from its database."""
        with closing(sqlite3.connect(self.state_dir / "kernel.sqlite")) as database:
            database.row_factory = sqlite3.Row
            query = "SELECT * FROM module WHERE name = ?"
            return dict(database.execute(query, (module,)).fetchone())

    def forget_process(self, module: str) -> None:
        """Leaves the database as if the kernel had been killed right after a start."""
        with closing(sqlite3.connect(self.state_dir / "kernel.sqlite")) as database:
            query = "UPDATE module SET pid = NULL, start_ticks = NULL, endpoint = '' WHERE name = ?"
            assert database.execute(query, (module,)).rowcount == 1
            database.commit()

    def pids(self) -> list[int]:
        """Returns the processes that this node's modules have ever noted and that still live."""
        noted = (int(one.read_text().split()[0]) for one in self.root.glob("modules/*/started"))
        return [pid for pid in noted if is_alive(pid)]

    def end(self) -> None:
        """Ends what is left, by the ids that the test knows."""
        if self.kernel is not None and self.kernel.poll() is None:
            self.kernel.terminate()
            try:
                self.kernel.wait(60)
            except subprocess.TimeoutExpired:
                self.kernel.kill()
                self.kernel.wait()
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _named(status: kernel_pb2.GetStatusResponse, name: str) -> module_pb2.Module:
    return next(one for one in status.modules if one.name == name)


def is_alive(pid: int) -> bool:
    """Says whether a process runs; a zombie does not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


@contextmanager
def made_node() -> Iterator[Node]:
    """A node in a short folder: Unix socket paths hold 107 bytes."""
    root = Path(tempfile.mkdtemp(prefix="lk-"))
    node = Node(root)
    try:
        yield node
    finally:
        node.end()
        shutil.rmtree(root, ignore_errors=True)
