"""A budget of retries: in an outage they stay a small part of the calls (KER-31)."""

from typing import Final

MAX_RETRIES: Final = 3
"""Of one call."""
CAPACITY: Final = 10
"""Retries that a target may have ahead of its calls."""
CALLS_PER_RETRY: Final = 10


class RetryBudget:
    """Of one target: a bucket of tokens, in tenths."""

    def __init__(self) -> None:
        self._tenths = CAPACITY * CALLS_PER_RETRY

    def earn(self) -> None:
        """Counts a call that needed no retry."""
        self._tenths = min(self._tenths + 1, CAPACITY * CALLS_PER_RETRY)

    def spend(self) -> bool:
        """Takes a retry; False if there is none left."""
        if self._tenths < CALLS_PER_RETRY:
            return False
        self._tenths -= CALLS_PER_RETRY
        return True
