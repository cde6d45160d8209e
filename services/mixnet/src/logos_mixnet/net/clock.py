"""The clock that the module goes by."""

import time
from collections.abc import Callable
from functools import partial

boot_ns = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
"""Nanoseconds since the machine was started: the same for all of its processes."""


def unix_ms() -> int:
    """Returns Unix time in milliseconds, as the system has it now: what nodes have in common."""
    return time.time_ns() // 1_000_000


def steady_unix_ms(
    unix_ns: Callable[[], int] = time.time_ns, steady_ns: Callable[[], int] = boot_ns
) -> Callable[[], int]:
    """Returns a clock: Unix time as it was when the clock was made, and steady from there.

    It says milliseconds and never goes back. All that the module times is a duration: if the
    system's clock is set back by a day, no dial, verdict or ban of this run lasts a day longer.
    """
    offset_ns = unix_ns() - steady_ns()
    return lambda: (steady_ns() + offset_ns) // 1_000_000
