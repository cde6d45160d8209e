"""A forked process: from the fork to the program that it was asked to run."""

import errno
import gc
import os
import runpy
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from logos_forkserver import wire
from logos_forkserver.proc_entry import NoRoomError, ProcEntry, set_name, start_ticks
from logos_forkserver.sources import LoadedSources
from logos_forkserver.surroundings import read_at_start
from logos_forkserver.wire import (
    NO_ROOM,
    OTHER_SURROUNDINGS,
    OUTDATED,
    BadPacketError,
    Request,
)

PATIENCE_S: Final = 30.0
"""For a client's request, and for its `go`."""
_REFUSED: Final = 1


@dataclass(frozen=True, slots=True)
class Origin:
    """State that a child inherits from its server."""

    entry: ProcEntry
    sources: LoadedSources
    surroundings: Mapping[str, str]
    """The variables that were read at the server's start."""


def restore_signals() -> None:
    """Restores the signal handlers that a program starts with, in a new child."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def live(connection: socket.socket, origin: Origin) -> None:
    """Runs the program that the client requests. Returns or raises as the program does.

    Exits at once if the client disconnects, or its request is invalid or refused.
    """
    origin.entry.show("python: waits for a request", {})
    connection.settimeout(PATIENCE_S)
    try:
        request = _prepare(connection, origin)
        if request is None or wire.receive(connection)[0] != wire.GO:
            os._exit(_REFUSED)
    except (OSError, BadPacketError):
        os._exit(_REFUSED)  # the client has gone
    connection.close()
    gc.enable()
    _run(request)


def _prepare(connection: socket.socket, origin: Origin) -> Request | None:
    """Sets the process up and answers the client; None if the answer is a refusal."""
    document, files = wire.receive(connection)
    changed = origin.sources.changed()
    if changed is not None:
        wire.send(connection, {"refused": OUTDATED, "text": f"{changed} has changed"})
        return None
    if "module" not in document:  # a check of the loaded code only
        wire.send(connection, {"current": True})
        return None
    request = Request.from_document(document)
    wanted = read_at_start(request.variables)
    if wanted != origin.surroundings:
        differ = sorted({name for name, _ in wanted.items() ^ origin.surroundings.items()})
        text = f"the fork server has other values of {', '.join(differ)}"
        wire.send(connection, {"refused": OTHER_SURROUNDINGS, "text": text})
        return None
    try:
        _enter(request, origin.entry, files)
    except NoRoomError as error:
        wire.send(connection, {"refused": NO_ROOM, "text": str(error)})
        return None
    except OSError as error:
        failure = {"errno": error.errno, "text": error.strerror, "file": error.filename}
        wire.send(connection, {"failed": failure})
        return None
    pidfd = os.pidfd_open(os.getpid())
    wire.send(connection, {"pid": os.getpid(), "start_ticks": start_ticks()}, [pidfd])
    os.close(pidfd)
    return request


def _enter(request: Request, entry: ProcEntry, files: list[int]) -> None:
    """Sets up session, folder, files and environment as `subprocess` does."""
    if not files:
        raise OSError(errno.EBADF, "the request has no file descriptor for the output")
    os.setsid()
    os.chdir(request.folder)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nowhere, 0), (files[0], 1), (files[0], 2)):
        os.dup2(source, target)
    for used in (nowhere, *files):
        os.close(used)
    command = [sys.executable, "-m", request.module, *request.arguments]
    entry.show(" ".join(command), request.variables)
    set_name(request.module)
    sys.orig_argv = command
    sys.argv = command[2:]


def _run(request: Request) -> None:
    """Runs the program as `python -m` does."""
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)
