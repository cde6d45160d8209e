"""Detection of a full disk, in one place."""

import errno
import shutil
from pathlib import Path
from typing import Final

from logos_base.errors import DiskFullError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def is_full(error: OSError) -> bool:
    """Returns whether an operation failed because the disk is full."""
    return error.errno in _FULL


def disk_full(place: object = None) -> DiskFullError:
    """Returns the error for a full disk, with the name of what could not be written."""
    prefix = "" if place is None else f"{place} cannot be written: "
    return DiskFullError(f"{prefix}the disk is full; make room and try again")


def has_room(folder: Path, size_bytes: int) -> bool:
    """Returns whether a disk has `size_bytes` left; True if that is unknown."""
    try:
        return shutil.disk_usage(folder).free >= size_bytes
    except OSError:
        return True
