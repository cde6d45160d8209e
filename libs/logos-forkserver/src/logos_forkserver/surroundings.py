"""The variables that a process must share with the server that it is forked from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from logos_forkserver.launch import ROOM

_READ_AT_START: Final = (
    "GLIBC_TUNABLES", "LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PYTHON", "SSL_", "TZ",
)  # fmt: skip
"""Prefixes of variables that the interpreter and the C libraries read when they start."""
_SET_BY_US: Final = frozenset({"PYTHONSAFEPATH", "PYTHONUNBUFFERED"})
"""Set for the server, and so for all of its children."""


def started_with() -> dict[str, str]:
    """Returns the environment at the start of this process, without later additions."""
    raw = Path("/proc/self/environ").read_bytes()
    pairs = (os.fsdecode(item).partition("=") for item in raw.split(b"\0") if item)
    return {name: value for name, _, value in pairs if name != ROOM}


def read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that have no effect if they are changed after the start."""
    return {
        name: value
        for name, value in variables.items()
        if name.startswith(_READ_AT_START) and name not in _SET_BY_US
    }
