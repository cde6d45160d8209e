"""The file of a tap: lines are appended, and only the owner can read them (MIX-32)."""

import os
from pathlib import Path

from logos_mixnet.core.errors import StoreError


class TapFile:
    """`TapStore` in a file. Calls block for as long as an append takes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def size_bytes(self) -> int:
        """Returns the file's size; 0 if there is none."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, lines: bytes) -> None:
        """Appends whole lines, and makes nothing durable: a capture is worth no flush.

        Raises:
            StoreError: The disk is full, or the file cannot be written. It is as long as before.
        """
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            file = os.open(self._path, flags, 0o600)
            try:
                _write_whole(file, lines)
            finally:
                os.close(file)
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}") from error


def _write_whole(file: int, lines: bytes) -> None:
    before, left = os.fstat(file).st_size, memoryview(lines)
    try:
        while left:
            left = left[os.write(file, left) :]
    except OSError:
        os.ftruncate(file, before)  # half a line would spoil the one that comes after it
        raise
