"""Client of the fork server. Blocks for as long as a fork takes: milliseconds."""

import errno
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from logos_base.errors import ErrorKind, LogosError
from logos_forkserver import wire
from logos_forkserver.wire import OUTDATED, BadPacketError, Request

FORK_TIMEOUT_S: Final = 3.0

_NO_ANSWER: Final = (
    *(BadPacketError, TimeoutError, ConnectionError),
    *(KeyError, IndexError, TypeError, ValueError),
)
"""Errors of a server that is gone, or whose answer is not valid."""


class ForkServerError(LogosError):
    """The fork server cannot start the process; start it by `exec`."""

    kind = ErrorKind.UNAVAILABLE
    reason = "FORK_SERVER_UNAVAILABLE"


class OutdatedError(ForkServerError):
    """The server has loaded code that has changed on disk since."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "FORK_SERVER_OUTDATED"


@dataclass(slots=True)
class Forked:
    """A process that the fork server has started. To be closed after use."""

    pid: int
    start_ticks: int
    """When it was started, in clock ticks since boot."""
    pidfd: int
    """Readable once the process has ended."""
    connection: socket.socket
    """Readable once its exit code is known, or the server has died."""

    def exit_code(self) -> int | None:
        """Takes the exit code from a readable connection; negative: the signal that ended it.

        None: the server has died and the code is lost. The process may still run.
        """
        try:
            document, _ = wire.receive(self.connection)
            return int(document["code"])
        except (OSError, BadPacketError, KeyError, TypeError, ValueError):
            return None

    def close(self) -> None:
        """Closes the descriptors. The process runs on."""
        os.close(self.pidfd)
        self.connection.close()


def fork(path: Path, request: Request, output: int, *, timeout_s: float = FORK_TIMEOUT_S) -> Forked:
    """Starts a process by the fork server.

    Args:
        path: Socket of the fork server.
        request: The program.
        output: File descriptor for its standard output and error.
        timeout_s: Of each step.

    Raises:
        ForkServerError: The server does not answer, or refuses; no process was started.
        OSError: The process cannot be set up, e.g. its folder does not exist.
    """
    connection = _connect(path, timeout_s)
    files: list[int] = []
    try:
        wire.send(connection, request.to_document(), [output])
        answer, files = wire.receive(connection)
        _refuse(answer)
        forked = Forked(int(answer["pid"]), int(answer["start_ticks"]), files[0], connection)
        wire.send(connection, wire.GO)
    except BaseException as error:
        for file in files:
            os.close(file)
        connection.close()  # which also ends a process that waits for its `go`
        if isinstance(error, _NO_ANSWER):
            raise ForkServerError(f"{path} does not start a process: {error!r}") from error
        if isinstance(error, OSError) and error.errno == errno.EMSGSIZE:
            raise ForkServerError(f"{path}: the environment is too large") from error
        raise
    return forked


def begin_check(path: Path, *, timeout_s: float = FORK_TIMEOUT_S) -> socket.socket:
    """Asks a server whether it can fork. The connection is readable once it has answered.

    Raises:
        ForkServerError: No server listens at the path.
    """
    connection = _connect(path, timeout_s)
    try:
        wire.send(connection, {})
    except OSError as error:
        connection.close()
        raise ForkServerError(f"{path} does not take requests: {error}") from error
    return connection


def end_check(connection: socket.socket) -> None:
    """Reads the answer, and closes the connection.

    Raises:
        OutdatedError: The server's code has changed since it was loaded.
        ForkServerError: It has died, or does not answer in time.
    """
    with connection:
        try:
            answer, _ = wire.receive(connection)
        except (OSError, BadPacketError) as error:
            raise ForkServerError(f"the fork server does not answer: {error}") from error
    _refuse(answer)


def _connect(path: Path, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(timeout_s)
        connection.connect(bytes(path))
    except OSError as error:
        connection.close()
        raise ForkServerError(f"no fork server answers at {path}: {error}") from error
    return connection


def _refuse(answer: dict[str, Any]) -> None:
    if (why := answer.get("refused")) is not None:
        raise (OutdatedError if why == OUTDATED else ForkServerError)(str(answer.get("text")))
    if isinstance(failure := answer.get("failed"), dict):
        raise OSError(failure.get("errno"), failure.get("text"), failure.get("file"))
