"""Files with secrets: private, complete or absent, and durable. Imports little."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read, in place of an older one; durable on return.

    For one process at a time.

    Raises:
        OSError: It cannot be written; an older file at the path is unchanged.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # of a killed process
    with _written(temporary, content):
        temporary.replace(path)
    _sync_folder(path.parent)


def create_private(path: Path, content: bytes) -> None:
    """Writes a new file as `write_private` does; of several processes, one succeeds.

    Raises:
        FileExistsError: There is a file already; it is unchanged.
        OSError: It cannot be written.
    """
    # Random, since containers that share the folder may have equal process ids.
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    with _written(temporary, content):
        os.link(temporary, path)  # unlike a rename, it does not replace another's file
    _sync_folder(path.parent)


@contextmanager
def _written(temporary: Path, content: bytes) -> Iterator[None]:
    """Writes a temporary file, which is removed at the end of the block."""
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
