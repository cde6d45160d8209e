"""The Unix sockets of a server: bound, checked, and removed by their owner only.

gRPC removes any file at a path when it binds and when it ends, even the socket of another
process. So it binds a temporary name in the same folder, and the socket is then renamed: it
appears in one step, and only its owner removes it.
"""

import errno
import os
import secrets
import socket
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700


class Socket:
    """One Unix socket that a server listens at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity: tuple[int, int] | None = None
        """Device and inode: not reused while the server listens."""

    def private_path(self) -> Path:
        """Returns a temporary path to bind. Not longer than `<module>.sock`."""
        return self.path.with_name(f".{secrets.token_hex(2)}")

    def claim(self, bound: Path) -> None:
        """Moves a socket from its temporary path to its own."""
        self._identity = _identity(bound)
        bound.replace(self.path)

    def is_there(self) -> bool:
        """Returns whether a file exists at the path."""
        return _identity(self.path) is not None

    def is_ours(self) -> bool:
        """Returns whether the file at the path is the socket that was claimed last."""
        return self._identity is not None and _identity(self.path) == self._identity

    def remove(self) -> None:
        """Removes the socket, unless another has replaced it."""
        if self.is_ours():
            self.path.unlink(missing_ok=True)


def path_of(address: str) -> Path | None:
    """Returns the path of a gRPC address `unix:PATH` or `unix:///PATH`; None for others."""
    scheme, _, path = address.partition(":")
    return Path(path.removeprefix("//")) if scheme == "unix" else None


def is_listening(path: Path) -> bool:
    """Returns whether a process listens at a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def restore_folder(folder: Path) -> None:
    """Makes a folder of sockets again, and its parent, if they were removed.

    Not the parents above: nothing may appear where a checkout was before it was moved.

    Raises:
        OSError: It cannot be made, a parent above is gone too, or it belongs to another user.
    """
    for one in (folder.parent, folder):
        if _identity(one) is None:
            one.mkdir(mode=FOLDER_MODE)
    if folder.stat().st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "belongs to another user", str(folder))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
