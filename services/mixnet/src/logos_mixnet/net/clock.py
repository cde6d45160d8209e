"""The machine's clock."""

import time


class SystemClock:
    """`Clock` of this machine."""

    def now_ms(self) -> int:
        """Returns Unix time in milliseconds."""
        return time.time_ns() // 1_000_000
