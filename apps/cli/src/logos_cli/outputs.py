"""Where fetched content goes: a file that appears whole or not at all, a pipe, a device.

As with `cp` and `curl -o`, symbolic links are followed, and a file that is there keeps
its mode, its owner and its other names.
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
    """An open place for content."""

    name: str
    """For messages."""
    descriptor: int
    is_old: bool = False
    """Whether it still holds what it held before: until the first byte comes."""

    async def write(self, data: bytes) -> None:
        """Writes the next bytes, or raises `OSError`."""
        with descriptors.named(self.name):
            self.empty()
            await descriptors.write_all(self.descriptor, data)

    def empty(self) -> None:
        """Forgets what a file held before."""
        if self.is_old:
            os.ftruncate(self.descriptor, 0)
            self.is_old = False


@asynccontextmanager
async def output_to(file: str) -> AsyncIterator[Output]:
    """Opens where content goes; `-` is stdout. If the body fails, a file stays as it was.

    Written in place, so that it does not, is a file that a new one cannot replace: with
    several names, with an owner whom we cannot give it to, or in a folder where we can
    make none.

    Raises:
        OSError: It cannot be written to.
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
    """Type and mode of what a name leads to; None if there is nothing yet."""
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
    with descriptors.named(file):  # a new one could replace even a file that we may not write to
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
    """Renames a partial file to its target once the body has filled it; removes it otherwise."""
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
    """Makes a file whose name fits wherever that of the target does."""
    partial = target.with_name(f".logos-{secrets.token_hex(8)}")
    return partial, os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)


def _successor(target: Path, old: os.stat_result) -> tuple[Path, int] | None:
    """Makes a file like the target, but empty; None if it could not take its place."""
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
    """A rename lasts once its folder is on the disk."""
    with suppress(PermissionError):  # a folder may be for writing alone, and still hold files
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
