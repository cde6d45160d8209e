"""Keeps freed memory for the next frame."""

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
KEPT_BYTES: Final = 64 * 1024 * 1024
LARGE_BYTES: Final = 32 * 1024 * 1024
"""The most that the C library takes as a threshold."""


def keep_freed_memory() -> None:
    """Tells the C library not to give the memory of every frame back to the system.

    Frames are half a mebibyte; fetching and clearing their pages anew each time
    costs a quarter of what carrying them costs. Does nothing where the library
    is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
