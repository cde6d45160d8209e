"""The Unix sockets of a server: who stands at a path, and that it is given up at the end.

gRPC removes whatever stands at a path when it binds and when it ends, also the socket of
another process. So it binds at a name of its own beside the path, and the socket is then
renamed: the path is taken at once, and left only by whom it belongs to.
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
        """Device and inode; not used again while the server listens."""

    def private_path(self) -> Path:
        """Returns a fresh path to bind at. No longer than that of `<module>.sock`."""
        return self.path.with_name(f".{secrets.token_hex(2)}")

    def claim(self, bound: Path) -> None:
        """Moves a socket that was bound at a private path to where it belongs."""
        self._identity = _identity(bound)
        bound.replace(self.path)

    def is_there(self) -> bool:
        """Says whether anything stands at the path."""
        return _identity(self.path) is not None

    def is_ours(self) -> bool:
        """Says whether what stands at the path is what was claimed last."""
        return self._identity is not None and _identity(self.path) == self._identity

    def remove(self) -> None:
        """Removes the socket, unless another stands there by now."""
        if self.is_ours():
            self.path.unlink(missing_ok=True)


def path_of(address: str) -> Path | None:
    """Returns the path of a gRPC address `unix:PATH` or `unix:///PATH`; None for others."""
    scheme, _, path = address.partition(":")
    return Path(path.removeprefix("//")) if scheme == "unix" else None


def is_listening(path: Path) -> bool:
    """Says whether a process listens at a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def restore_folder(folder: Path) -> None:
    """Makes a folder of sockets that was swept away, and its parent if that went with it.

    No more than that: below a checkout that was moved nothing shall come back.

    Raises:
        OSError: It cannot be made, what it stood in is gone too, or it belongs to another user.
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
