"""Starts a fork server."""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOM: Final = "LOGOS_ROOM"
"""A variable of the server that only reserves memory for the environments of children."""
OWN_ROOM_BYTES: Final = 16 * 1024
"""For the LOGOS_ variables of a child, beside the environment that it shares with the server."""
_BACKLOG: Final = 1024
_SOCKET_MODE: Final = 0o600
_LISTENER: Final = 3


def start(
    path: Path,
    modules: Sequence[str],
    *,
    variables: Mapping[str, str],
    output: Path,
    python: str = sys.executable,
) -> int:
    """Starts a fork server, and returns its pid at once: connections wait until it has loaded.

    Args:
        path: Its socket; an existing file is replaced.
        modules: Python modules that it loads.
        variables: Its environment, by which it can be found in /proc.
        output: A file for its messages.
        python: The interpreter, if another has the modules.

    Raises:
        OSError: The socket or the file cannot be made.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        path.unlink(missing_ok=True)
        listener.bind(bytes(path))
        path.chmod(_SOCKET_MODE)  # nothing can connect before it listens
        listener.listen(_BACKLOG)
        room = "." * (sum(len(os.fsencode(f"{k}={v}")) + 1 for k, v in variables.items()))
        return os.posix_spawn(
            python,
            [python, "-P", "-m", "logos_forkserver", str(_LISTENER), *modules],
            {**variables, "PYTHONUNBUFFERED": "1", ROOM: room + OWN_ROOM_BYTES * "."},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, listener.fileno(), _LISTENER),
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
