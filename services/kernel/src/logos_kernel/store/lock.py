"""One kernel per state folder, by an advisory lock of the operating system (KER-8)."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logos_kernel.core.errors import StateLockedError


@contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """Holds the lock of a state folder, which it makes if need be.

    The operating system gives the lock back when the process ends, however it
    ends. The pid in the file is for messages only.

    Raises:
        StateLockedError: Another kernel holds it; the message names its pid.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    file = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(file, 32).decode(errors="replace").strip() or "unknown"
            raise StateLockedError(f"another kernel runs on {state_dir}: pid {holder}") from error
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(file)
