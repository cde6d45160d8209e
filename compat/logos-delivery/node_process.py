"""Processes of the nodes of this program: kernels, and what they are forked from (docs/adr/0016).

Each has its own start of Python where no fork server can be had. A guard ends them all when this
program ends, however it does.
"""

import atexit
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from node_profile import MODULES, manifest

from logos_base.manifest import parse_manifest
from logos_forkserver import client, launch
from logos_forkserver.client import Forked, ForkServerError
from logos_forkserver.wire import Request
from logos_testnet.fork_server import KERNEL_MODULES, starts_by_fork

PYTHON_VARIABLE: Final = "LOGOS_DELIVERY_PYTHON"
"""Names the interpreter of the nodes: one that has the project's packages."""
FORKS_VARIABLE: Final = "LOGOS_DELIVERY_FORKS"
"""Tells the programs that this one starts where its fork server is."""
LOAD_TIMEOUT_S: Final = 60.0
_OF_CHECKOUT: Final = Path(__file__).parents[2] / ".venv" / "bin" / "python"


class KernelProcess:
    """A kernel that was started here."""

    def __init__(self, programs: "Programs", started: Forked | subprocess.Popen[bytes]) -> None:
        self._programs = programs
        self._started = started
        self._pidfd = started.pidfd if isinstance(started, Forked) else os.pidfd_open(started.pid)

    def wait(self, timeout_s: float) -> bool:
        """Returns whether it ends within a time."""
        return bool(select.select([self._pidfd], [], [], max(timeout_s, 0))[0])

    def end(self, timeout_s: float) -> bool:
        """Has it end its modules and itself; returns whether it has within a time.

        It is not killed: its modules would live on.
        """
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)
        has_ended = self.wait(timeout_s)
        if has_ended:
            self.close()
        return has_ended

    def close(self) -> None:
        """Forgets a process that has ended."""
        self._programs.forget(self._started.pid)
        if isinstance(self._started, Forked):
            self._started.close()
        else:
            self._started.wait()
            os.close(self._pidfd)


class Programs:
    """Starts kernels. One in each Python process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guard: subprocess.Popen[bytes] | None = None
        self._forks: Path | None = None
        """Socket of the fork server, if it serves."""

    def load(self) -> Path | None:
        """Starts what is needed to start kernels; returns the fork server's socket, if it serves.

        Takes the seconds in which it loads the nodes' code, the first time.
        """
        with self._lock:
            if self._guard is None:
                self._guard = _guard()
                if starts_by_fork(os.environ):
                    self._forks = self._others() or self._own()
            return self._forks

    def start(self, variables: Mapping[str, str], log: Path) -> KernelProcess:
        """Starts a kernel that writes to a file. OSError."""
        forks = self.load()
        own = {**_kept(), **variables, "GRPC_VERBOSITY": "ERROR"}
        if forks is not None:
            own["LOGOS_FORK_SERVER"] = str(forks)
        with log.open("ab") as output:
            started = self._started(own, output, forks)
        self._tell(f"+{started.pid}")
        return KernelProcess(self, started)

    def forget(self, pid: int) -> None:
        """It has ended."""
        self._tell(f"-{pid}")

    def _started(
        self, variables: dict[str, str], output: IO[bytes], forks: Path | None
    ) -> Forked | subprocess.Popen[bytes]:
        if forks is not None:
            request = Request("logos_kernel", folder=".", variables=variables)
            with suppress(ForkServerError):
                return client.fork(forks, request, output.fileno())
        return subprocess.Popen(  # noqa: S603 -- our own
            [interpreter(), "-m", "logos_kernel"],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def _others(self) -> Path | None:
        """Returns the fork server of the program that has started this one, if there is one."""
        path = Path(os.environ.get(FORKS_VARIABLE, ""))
        return path if path.is_socket() and _answers(path) else None

    def _own(self) -> Path | None:
        """Starts a fork server; returns its socket, once it has loaded; None if it cannot."""
        folder = Path(tempfile.mkdtemp(prefix="ldf"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path, log = folder / "forks.sock", folder / "forks.log"
        variables = {**_kept(), "PYTHONSAFEPATH": "1"}
        pid = launch.start(
            path, list(_preloaded()), variables=variables, output=log, python=interpreter()
        )
        self._tell(f"+{pid}")
        if not _answers(path):
            return None
        os.environ[FORKS_VARIABLE] = str(path)
        return path

    def _tell(self, line: str) -> None:
        pipe = None if self._guard is None else self._guard.stdin
        if pipe is not None:
            pipe.write(f"{line}\n".encode("ascii"))
            pipe.flush()


def _guard() -> subprocess.Popen[bytes]:
    """Starts what ends the nodes when this program has ended."""
    return subprocess.Popen(  # noqa: S603 -- our own; it lives longer than this process
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _answers(path: Path) -> bool:
    """Says whether a fork server can fork, once it has loaded."""
    try:
        connection = client.begin_check(path)
        if select.select([connection], [], [], LOAD_TIMEOUT_S)[0]:
            client.end_check(connection)
            return True
    except ForkServerError:
        return False
    connection.close()
    return False


def interpreter() -> str:
    """Returns the interpreter of the nodes: of a variable, else the checkout's, else this."""
    own = str(_OF_CHECKOUT) if _OF_CHECKOUT.exists() else sys.executable
    return os.environ.get(PYTHON_VARIABLE) or own


def _preloaded() -> Iterator[str]:
    """What the fork server loads, each once."""
    names = list(KERNEL_MODULES)
    for module in MODULES:
        text = manifest(module).read_text(encoding="utf-8")
        names += parse_manifest(text).preload
    yield from dict.fromkeys(names)


def _kept() -> dict[str, str]:
    """The environment of nodes: without what is for this program alone."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LOGOS_", "PYTHON"))
    }
