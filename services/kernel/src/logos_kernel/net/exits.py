"""How processes end: each end is reported once, with the exit code if that is known.

A pidfd says that a process has ended, also of one that is not our child. The exit code comes
from its parent: this kernel, or the fork server. It is unknown where an earlier kernel started
the process, or where the fork server has died.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from logos_forkserver.client import Forked
from logos_kernel.core.effects import Signal

EXIT_CODE_TIMEOUT_S: Final = 1.0
"""For the fork server to send the exit code of a process that has ended."""

Parent = subprocess.Popen[bytes] | Forked | None
"""Where the exit code comes from: our own child, the fork server, or None: unknown."""


class WatchedProcess:
    """Watches one process until it has ended. For use on one event loop."""

    def __init__(
        self, pid: int, pidfd: int, parent: Parent, ended: Callable[[int | None], None]
    ) -> None:
        """Takes over the pidfd and the parent's descriptors, and calls `ended` once."""
        self._pid = pid
        self._pidfd = pidfd
        self._parent = parent
        self._ended = ended
        self.was_killed = False
        """Whether it was sent SIGKILL from here."""
        self._loop = asyncio.get_running_loop()
        self._timeout: asyncio.TimerHandle | None = None
        self._loop.add_reader(pidfd, self._has_ended)
        if isinstance(parent, Forked):
            self._loop.add_reader(parent.connection, self._has_exit_code, parent)

    def send(self, number: Signal) -> None:
        """Signals the process; one that has ended is no error."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)
        if number is Signal.KILL:
            self.was_killed = True
            kill_group(self._pid)

    def close(self) -> None:
        """Watches no longer. Ends nothing."""
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._timeout is not None:
            self._timeout.cancel()
        self._leave_fork_server()

    def _has_exit_code(self, forked: Forked) -> None:
        """The fork server has sent the exit code, or has died."""
        code = forked.exit_code()
        if code is not None:
            self._end(code)  # the server has ended its group
            return
        self._leave_fork_server()
        if self._timeout is not None:
            self._end_without_code()

    def _has_ended(self) -> None:
        if isinstance(self._parent, Forked):
            # Its exit code is on the way, unless the server hangs.
            self._loop.remove_reader(self._pidfd)
            self._timeout = self._loop.call_later(EXIT_CODE_TIMEOUT_S, self._end_without_code)
            return
        kill_group(self._pid)  # before `wait` frees its pid
        self._end(None if self._parent is None else self._parent.wait())

    def _end_without_code(self) -> None:
        kill_group(self._pid)
        self._end(None)

    def _end(self, code: int | None) -> None:
        self.close()
        self._ended(code)

    def _leave_fork_server(self) -> None:
        if isinstance(self._parent, Forked):
            self._loop.remove_reader(self._parent.connection)
            self._parent.connection.close()
            self._parent = None


def kill_group(pid: int) -> None:
    """Ends what a process has started itself and left behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
