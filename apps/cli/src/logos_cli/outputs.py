"""Destinations of fetched content: a file that is replaced atomically, a pipe, a device.

As with `cp` and `curl -o`, symbolic links are followed, and an existing file keeps its mode,
its owner and its hard links.
"""

import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logos_cli import descriptors

_STDOUT: Final = frozenset({"-", "/dev/stdout"})
_FOLDER_NAMES: Final = frozenset({"", ".", ".."})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@dataclass(slots=True)
class Output:
    """An open destination."""

    name: str
    """For messages."""
    descriptor: int
    is_old: bool = False
    """Whether it still holds its old content: until the first write."""

    async def write(self, data: bytes) -> None:
        """Writes the next bytes, or raises `OSError`."""
        with descriptors.named(self.name):
            self.empty()
            await descriptors.write_all(self.descriptor, data)

    def empty(self) -> None:
        """Removes the old content of a file."""
        if self.is_old:
            os.ftruncate(self.descriptor, 0)
            self.is_old = False


@asynccontextmanager
async def output_to(file: str) -> AsyncIterator[Output]:
    """Opens a destination; `-` is stdout. If the body fails, a file is unchanged.

    An exception are files that cannot be replaced, which are written in place: those with
    several hard links, with an owner that we cannot set, or in a folder where we cannot create
    files.

    Raises:
        OSError: It cannot be written.
    """
    if file in _STDOUT:
        name = "standard output"
        shared = descriptors.standard(sys.stdout, name)
        with descriptors.not_blocking(shared, os.O_WRONLY) as stdout:
            yield Output(name, stdout)
        return
    mode = _mode_of(file)
    if mode is not None and not stat.S_ISREG(mode):
        async with descriptors.opened_to_write(file) as device:
            yield Output(file, device)
        return
    place = _new_file if mode is None else _old_file
    with place(file) as output:
        yield output


def _mode_of(file: str) -> int | None:
    """Returns type and mode of the file at a path; None if it does not exist."""
    try:
        mode = Path(file).stat().st_mode
    except FileNotFoundError:
        mode = None
    is_folder = mode is None or stat.S_ISDIR(mode)
    if file.rpartition("/")[2] in _FOLDER_NAMES or (mode is not None and is_folder):
        number = errno.EISDIR if is_folder else errno.ENOTDIR
        raise OSError(number, os.strerror(number), file)
    return mode


@contextmanager
def _new_file(file: str) -> Iterator[Output]:
    with descriptors.named(file):
        target = Path(file).resolve()
        partial, descriptor = _create_beside(target, 0o666)
    with _put_in_place(file, target, partial, descriptor) as output:
        yield output


@contextmanager
def _old_file(file: str) -> Iterator[Output]:
    target = Path(file).resolve()
    with descriptors.named(file):  # a rename could replace even a file without write permission
        old = os.fdopen(os.open(target, os.O_WRONLY), "wb", buffering=0)
    with old:
        with descriptors.named(file):
            successor = _successor(target, os.fstat(old.fileno()))
        if successor is not None:
            with _put_in_place(file, target, *successor) as output:
                yield output
            return
        output = Output(file, old.fileno(), is_old=True)
        yield output
        with descriptors.named(file):
            output.empty()
            os.fsync(old.fileno())


@contextmanager
def _put_in_place(file: str, target: Path, partial: Path, descriptor: int) -> Iterator[Output]:
    """Renames a partial file to its target if the body succeeds; removes it otherwise."""
    try:
        yield Output(file, descriptor)
        with descriptors.named(file):
            os.fsync(descriptor)
            partial.replace(target)
            _sync_folder(target.parent)
    finally:
        os.close(descriptor)
        partial.unlink(missing_ok=True)


def _create_beside(target: Path, mode: int) -> tuple[Path, int]:
    """Creates a temporary file in the target's folder, with a short name."""
    partial = target.with_name(f".logos-{secrets.token_hex(8)}")
    return partial, os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)


def _successor(target: Path, old: os.stat_result) -> tuple[Path, int] | None:
    """Creates an empty file like the target; None if it could not replace the target."""
    if old.st_nlink > 1:
        return None
    try:
        partial, descriptor = _create_beside(target, 0o600)
    except OSError as error:
        if error.errno in _REFUSED:
            return None
        raise
    try:
        os.fchown(descriptor, old.st_uid, old.st_gid)
        shutil.copystat(target, partial)
        os.utime(descriptor)
    except OSError as error:
        os.close(descriptor)
        partial.unlink()
        if error.errno in _REFUSED:
            return None
        raise
    return partial, descriptor


def _sync_folder(folder: Path) -> None:
    """Makes a rename durable."""
    with suppress(PermissionError):  # a folder without read permission
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
