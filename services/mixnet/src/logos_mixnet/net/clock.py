"""The machine's clock."""

import time
from collections.abc import Callable
from functools import partial

boot_ns = partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)


class SystemClock:
    """`Clock` of this machine: Unix time as it was at the start, and steady from there.

    All that the module times is a duration. If the clock is set back by a day while it runs, no
    dial, verdict or ban of this run lasts a day longer.
    """

    def __init__(
        self,
        unix_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = boot_ns,
    ) -> None:
        self._steady_ns = steady_ns
        self._offset_ns = unix_ns() - steady_ns()

    def now_ms(self) -> int:
        """Returns Unix time in milliseconds. Never goes back."""
        return (self._steady_ns() + self._offset_ns) // 1_000_000
