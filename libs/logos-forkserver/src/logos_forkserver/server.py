"""The server's loop: accepts connections, forks, and reports the exit code of each child.

It has one thread and never uses the code that it has loaded: it makes no event loop, no gRPC
object, no random number, so that no two children share one.
"""

import logging
import os
import selectors
import signal
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from logos_forkserver import wire
from logos_forkserver.child import restore_signals

log = logging.getLogger(__name__)

SOCKET_CHECK_S: Final = 5.0
"""How often a server without children checks whether its socket still exists."""
_TROUBLE_PAUSE_S: Final = 0.1
_STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_CREDENTIALS: Final = struct.Struct("3i")
"""struct ucred of unix(7): pid, uid, gid."""


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    pidfd: int
    connection: socket.socket


class Server:
    """Forks a process for each connection until a signal ends it; then waits for its children."""

    def __init__(self, listener: socket.socket) -> None:
        """Takes ownership of a listening Unix socket of type SOCK_SEQPACKET."""
        self._listener: socket.socket | None = listener
        self._path = listener.getsockname()
        self._identity = _identity(self._path)
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._signalled, self._signals = socket.socketpair()
        for one in (listener, self._signalled, self._signals):
            one.settimeout(0)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._signalled, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._signals.fileno())
        for number in _STOPS:
            signal.signal(number, lambda *_: None)  # the wakeup descriptor is read instead

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes all of the server's descriptors: in a child, nothing of it stays open.

        Nothing is unregistered: a child shares the epoll instance with the server.
        """
        signal.set_wakeup_fd(-1)
        if self._listener is not None:
            self._listener.close()
        self._selector.close()
        self._signalled.close()
        self._signals.close()
        for child in self._children.values():
            os.close(child.pidfd)
            child.connection.close()

    def serve(self) -> socket.socket | None:
        """Serves until a signal asks it to stop and its last child has ended.

        Returns:
            None at the end; in each forked child, the connection to its client.
        """
        while self._listener is not None or self._children:
            for key, _ in self._selector.select(None if self._children else SOCKET_CHECK_S):
                if key.fileobj is self._signalled:
                    self._signalled.recv(64)
                    self._retire()
                elif key.fileobj is self._listener:
                    connection = self._fork(self._listener)
                    if connection is not None:
                        return connection
                elif key.fd in self._children:
                    self._report(self._children.pop(key.fd))
            if not self._children and _identity(self._path) != self._identity:
                log.info("the socket of this server was removed or replaced: it ends")
                self._retire()
        return None

    def _retire(self) -> None:
        """Accepts no more connections."""
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _fork(self, listener: socket.socket) -> socket.socket | None:
        """Accepts a connection and forks; returns it in the child, None in the server."""
        connection = _accept(listener)
        if connection is None:
            return None
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            pid = os.fork()
        except OSError as error:
            log.error("cannot fork: %s", error)  # noqa: TRY400 -- no trace helps here
            connection.close()
            return None
        else:
            if pid == 0:
                restore_signals()
                return connection
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        pidfd = os.pidfd_open(pid)  # not reaped yet, so this is the child
        self._children[pidfd] = _Child(pid, pidfd, connection)
        self._selector.register(pidfd, selectors.EVENT_READ)
        return None

    def _report(self, child: _Child) -> None:
        """Kills the process group that a child has left, and sends its exit code."""
        with suppress(ProcessLookupError, PermissionError):
            # Until the child is reaped, its pid cannot become another process group's.
            os.killpg(child.pid, signal.SIGKILL)
        self._selector.unregister(child.pidfd)
        os.close(child.pidfd)
        _, status = os.waitpid(child.pid, 0)
        with suppress(OSError):  # its client may be gone
            _read_to_the_end(child.connection)
            wire.send(child.connection, {"code": os.waitstatus_to_exitcode(status)})
        child.connection.close()


def _accept(listener: socket.socket) -> socket.socket | None:
    """Accepts a connection of the server's own user; None if there is none."""
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return None  # it has gone already
    except OSError as error:
        log.error("cannot accept a connection: %s", error)  # noqa: TRY400 -- no trace helps here
        time.sleep(_TROUBLE_PAUSE_S)  # too many open files: until a child ends
        return None
    size = _CREDENTIALS.size
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    if user != os.geteuid():
        log.warning("refused a connection of user %d", user)
        connection.close()
        return None
    connection.settimeout(None)
    return connection


def _read_to_the_end(connection: socket.socket) -> None:
    """Drains unread packets: closing with some left would reset the connection, losing the code."""
    connection.shutdown(socket.SHUT_RD)
    while connection.recv(wire.MAX_PACKET_BYTES):
        continue


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
