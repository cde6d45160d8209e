"""The command line and environment of this process as /proc shows them.

Linux shows the memory that held both when the program was started, so a forked process shows
its parent's until that memory is overwritten. Both must be right: a testnet finds its processes
by their environment, and people read `ps`.
"""

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_PR_SET_NAME: Final = 15
_COMM_BYTES: Final = 15
_FIRST_FIELD: Final = 3
"""Number of the field after the name in parentheses, as proc_pid_stat(5) counts."""


class NoRoomError(Exception):
    """The memory that /proc shows cannot be written, or is too small."""


@dataclass(frozen=True, slots=True)
class ProcEntry:
    """The memory that /proc/self/cmdline and /proc/self/environ show: addresses, ends excluded."""

    arguments: tuple[int, int]
    environment: tuple[int, int]

    @classmethod
    def own(cls) -> Self:
        """Locates the memory of this process, or raises `NoRoomError`. Source: proc_pid_stat(5)."""
        fields = own_stat()
        arguments, environment = ((int(fields[at]), int(fields[at + 1])) for at in (45, 47))
        if not arguments[0] < arguments[1] <= environment[0] < environment[1]:
            raise NoRoomError("/proc/self/stat does not give the address of the environment")
        return cls(arguments, environment)

    def show(self, title: str, variables: Mapping[str, str]) -> None:
        """Sets the environment to `variables`, and shows it and `title`, truncated if too long.

        Raises:
            NoRoomError: The environment is larger than the memory; nothing was changed.
        """
        block = b"".join(os.fsencode(f"{key}={value}\0") for key, value in variables.items())
        start, end = self.environment
        if len(block) > end - start:
            raise NoRoomError(f"the environment has {len(block)} bytes, the limit is {end - start}")
        os.environ.clear()  # the C library's pointers must leave the memory first
        os.environ.update(variables)
        ctypes.memmove(start, block.ljust(end - start, b"\0"), end - start)
        self._show_title(title)

    def _show_title(self, title: str) -> None:
        """A last byte that is not zero makes Linux end the title at its first zero."""
        start, end = self.arguments
        size = end - start
        shown = os.fsencode(title)[: size - 2] + b"\0"
        ctypes.memmove(start, shown.ljust(size - 1, b"\0") + b".", size)


def own_stat() -> list[str]:
    """Returns the fields of /proc/self/stat from the third on, which is the state."""
    text = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace")
    return text.rpartition(")")[2].split()  # the name before it may contain any character


def start_ticks() -> int:
    """Returns the start time of this process, in clock ticks since boot."""
    return int(own_stat()[22 - _FIRST_FIELD])


def set_name(name: str) -> None:
    """Sets what `top` and /proc/self/comm show, cut to 15 bytes."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:_COMM_BYTES], 0, 0, 0)
