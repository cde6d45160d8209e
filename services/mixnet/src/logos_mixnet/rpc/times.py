"""Times of requests: how long something lasts, and how long to search."""

from typing import Final

from google.protobuf.duration_pb2 import Duration

MAX_SEARCH_S: Final = 60.0
DEADLINE_MARGIN: Final = 0.1
"""The part of the caller's time that is kept for the way back, at most `MAX_MARGIN_S`."""
MAX_MARGIN_S: Final = 0.1


def ttl_ms(ttl: Duration) -> int:
    """Returns a time, rounded up: a limit is not passed by less than 1 ms."""
    return -(-ttl.ToNanoseconds() // 1_000_000)


def search_time_s(remaining_s: float | None) -> float:
    """Returns how long to search, so that the answer still reaches the caller in time."""
    if remaining_s is None:
        return MAX_SEARCH_S
    margin_s = min(DEADLINE_MARGIN * remaining_s, MAX_MARGIN_S)
    return min(remaining_s - margin_s, MAX_SEARCH_S)
