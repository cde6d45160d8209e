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

CODE_PATIENCE_S: Final = 1.0
"""For the fork server to tell the exit code of a process that has ended."""

Parent = subprocess.Popen[bytes] | Forked | None
"""Where the exit code comes from: our own child, the fork server, or None: unknown."""
Ended = Callable[[int | None], None]


class Exits:
    """Watches one process until it has ended. For use on one event loop."""

    def __init__(self, pid: int, pidfd: int, parent: Parent, ended: Ended) -> None:
        """Takes over the pidfd and the parent's descriptors, and calls `ended` once."""
        self._pid = pid
        self._pidfd = pidfd
        self._parent = parent
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._patience: asyncio.TimerHandle | None = None
        self._loop.add_reader(pidfd, self._has_ended)
        if isinstance(parent, Forked):
            self._loop.add_reader(parent.connection, self._told, parent)

    def send(self, number: signal.Signals) -> None:
        """Signals the process; one that has ended is no error."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)
        if number is signal.SIGKILL:
            kill_group(self._pid)

    def close(self) -> None:
        """Watches no longer. Ends nothing."""
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._patience is not None:
            self._patience.cancel()
        if isinstance(self._parent, Forked):
            self._forget_server(self._parent)

    def _told(self, forked: Forked) -> None:
        """The fork server has told the exit code, or has died."""
        code = forked.exit_code()
        if code is not None:
            self._end(code)
            return
        self._forget_server(forked)
        self._parent = None
        if self._patience is not None:
            self._end_untold()

    def _has_ended(self) -> None:
        if isinstance(self._parent, Forked):
            # Its code is on the way, unless the server hangs.
            self._loop.remove_reader(self._pidfd)
            self._patience = self._loop.call_later(CODE_PATIENCE_S, self._end_untold)
            return
        kill_group(self._pid)
        self._end(None if self._parent is None else self._parent.wait())

    def _end_untold(self) -> None:
        kill_group(self._pid)
        self._end(None)

    def _end(self, code: int | None) -> None:
        self.close()
        self._ended(code)

    def _forget_server(self, forked: Forked) -> None:
        self._loop.remove_reader(forked.connection)
        forked.connection.close()


def kill_group(pid: int) -> None:
    """Ends what a process has started itself and left behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
