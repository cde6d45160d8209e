"""Fork servers of a test's own."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fork_rig import READY_S, Rig
from logos_forkserver import client, launch

Start = Callable[..., Rig]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers with modules loaded; all are ended with the test."""
    pids: list[int] = []

    def start(*modules: str, **variables: str) -> Rig:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), **variables}
        path = tmp_path / "forks.sock"
        pid = launch.start(path, modules, variables=environment, output=tmp_path / "server.log")
        pids.append(pid)
        client.end_check(client.begin_check(path, timeout_s=READY_S))
        return Rig(tmp_path, pid, str(tmp_path))

    yield start
    for pid in pids:
        os.kill(pid, signal.SIGKILL)  # not reaped yet: it is the server
        os.waitpid(pid, 0)


@pytest.fixture
def rig(start: Start) -> Rig:
    """A server that has loaded nothing but itself."""
    return start()
