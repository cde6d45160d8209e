"""One process at a time in a folder, by an advisory lock of the operating system."""

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class FolderLock:
    """The file `lock` in a folder, held with flock(2).

    The operating system releases the lock when the process ends, however it ends.
    """

    def __init__(self, folder: Path) -> None:
        """Opens the file, or raises `OSError`. Does not take the lock."""
        self.folder = folder
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def take(self) -> bool:
        """Takes the lock unless another process holds it; returns whether it did."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        own = f"{os.getpid()} on {socket.gethostname()}\n".encode()
        with suppress(OSError):  # a full disk: it is for messages only
            os.pwrite(self._file, own, 0)
            os.ftruncate(self._file, len(own))
        return True

    def holder(self) -> str:
        """Returns `PID on HOST` as the holder has written it; for messages only.

        The host of a container is the beginning of its id.
        """
        return os.pread(self._file, 128, 0).decode(errors="replace").strip() or "unknown"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Releases the lock."""
        os.close(self._file)
