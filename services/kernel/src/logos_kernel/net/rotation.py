"""Keeps the logs of running modules small (KER-42)."""

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from logos_kernel.net.logfile import ROTATE_BYTES

log = logging.getLogger(__name__)

CHECK_S: Final = 10.0


async def keep_small(paths: Callable[[], Iterable[Path]], check_s: float = CHECK_S) -> None:
    """Puts what is over 16 MiB aside as `<name>.1`, again and again, until cancelled."""
    while True:
        await asyncio.sleep(check_s)
        for path in paths():
            if _size(path) > ROTATE_BYTES:
                await asyncio.to_thread(rotate, path)


def rotate(path: Path) -> None:
    """Copies a log to `<name>.1` and empties it.

    Its module has it open to append, and goes on at the start of the file. Lines that come
    between the last byte that was copied and the cut are lost: a matter of microseconds.
    """
    aside = path.with_name(path.name + ".1")
    new = aside.with_suffix(".new")
    try:
        with path.open("rb") as source, new.open("wb") as target:
            shutil.copyfileobj(source, target)
            new.replace(aside)
            shutil.copyfileobj(source, target)  # what has come meanwhile
            target.flush()
            os.truncate(path, 0)
    except OSError as error:  # a full disk: the log is more use than the copy
        new.unlink(missing_ok=True)
        log.warning("log not rotated", extra={"path": str(path), "why": str(error)})


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
