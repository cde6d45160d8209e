"""Detects changes on disk of code that was loaded."""

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoadedSources:
    """The files of all loaded modules, as they were when they were loaded."""

    signatures: Mapping[str, tuple[int, int] | None]
    """Time of last change in nanoseconds and size in bytes; None: changed while it was loaded."""

    def changed(self) -> str | None:
        """Returns the first file that has changed; None if none has."""
        for path, signature in self.signatures.items():
            if signature is None or _signature(path) != signature:
                return path
        return None


def loaded_sources(begun_ns: int) -> LoadedSources:
    """Records the files of every module that is loaded now.

    Args:
        begun_ns: Wall clock before the first of them was loaded.
    """
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    # Copies are adjacent in memory. Each child reads all of them, and every page that it
    # touches (for reference counts) is no longer shared: this saves 1 MiB a process.
    paths = [os.fsdecode(os.fsencode(path)) for path in files if isinstance(path, str)]
    now_ns = time.time_ns()
    found = {path: _signature(path) for path in paths}
    return LoadedSources(
        {
            path: None if one is not None and begun_ns <= one[0] <= now_ns else one
            for path, one in found.items()
        }
    )


def _signature(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 -- a thousand at each fork: no objects in between
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
