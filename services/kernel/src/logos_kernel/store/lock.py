"""One kernel per state folder, by an advisory lock of the operating system (KER-8)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logos_base.errors import StoreFailedError
from logos_kernel.core.errors import StateLockedError
from logos_module.disk import disk_full, is_full
from logos_module.lock import FolderLock


@contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Holds the lock of a state folder, which it makes if need be.

    Raises:
        StateLockedError: Another kernel holds it; the message names its pid.
        DiskFullError, StoreFailedError: There can be no lock.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(state_dir)
    except OSError as error:
        if is_full(error):
            raise disk_full(state_dir) from error
        raise StoreFailedError(f"{state_dir}: {error.strerror}") from error
    with lock:
        if not lock.take():
            holder = lock.holder()
            raise StateLockedError(f"another kernel runs on {state_dir}: pid {holder}")
        yield
