"""What the operating system says of a full disk, in one place."""

import errno
import shutil
from pathlib import Path
from typing import Final

from logos_base.errors import DiskFullError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def is_full(error: OSError) -> bool:
    """Says whether an operation failed because there is no room for more bytes."""
    return error.errno in _FULL


def disk_full(place: object = None) -> DiskFullError:
    """Returns the error of a full disk, which names what could not be written."""
    prefix = "" if place is None else f"{place} cannot be written: "
    return DiskFullError(f"{prefix}the disk is full; make room and try again")


def has_room(folder: Path, size_bytes: int) -> bool:
    """Says whether a disk has so many bytes left; True where that is not known."""
    try:
        return shutil.disk_usage(folder).free >= size_bytes
    except OSError:
        return True
