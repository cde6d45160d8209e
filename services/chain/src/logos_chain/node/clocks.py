"""The clocks of a node."""

import time


def monotonic_s() -> float:
    """Seconds of the monotonic clock."""
    return time.monotonic()


def monotonic_ms() -> int:
    """Milliseconds of the monotonic clock."""
    return time.monotonic_ns() // 1_000_000


def unix_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
