"""A fork server of a test's own."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from logos_forkserver import client
from logos_forkserver.client import Forked
from logos_forkserver.wire import Request

READY_S = 60.0


@dataclass
class Rig:
    """A running server, and programs for it to run."""

    folder: Path
    pid: int
    python_path: str
    """As the server was started with."""

    @property
    def socket(self) -> Path:
        return self.folder / "forks.sock"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def fork(self, program: str, **variables: str) -> Forked:
        """Has a program run as a module of its own."""
        (self.folder / "program.py").write_text(program, encoding="utf-8")
        request = Request(
            "program",
            ("an argument",),
            str(self.folder),
            {"PYTHONPATH": self.python_path, **variables},
        )
        output = os.open(self.output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            return client.fork(self.socket, request, output, timeout_s=READY_S)
        finally:
            os.close(output)

    def run(self, program: str, **variables: str) -> str:
        """Runs a program to its end; returns what it has written."""
        self.output.unlink(missing_ok=True)
        code = exit_code(self.fork(program, **variables))
        written = self.output.read_text(encoding="utf-8")
        assert code == 0, written
        return written


def exit_code(forked: Forked) -> int | None:
    """Waits for the exit code of a process."""
    forked.connection.settimeout(READY_S)
    try:
        return forked.exit_code()
    finally:
        forked.close()


def connected(path: Path) -> socket.socket:
    """A bare connection to a server."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(READY_S)
    connection.connect(str(path))
    return connection
