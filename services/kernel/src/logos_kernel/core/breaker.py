"""A circuit breaker: spares an instance that does not answer, and its callers the wait (KER-32)."""

from typing import Final

FAILURES: Final = 5
"""In a row, after which it opens."""
OPEN_MS: Final = 5_000
MAX_OPEN_MS: Final = 60_000


class Breaker:
    """Of one instance. Whoever is admitted says with `ended` or `withdrawn` how that went."""

    def __init__(self) -> None:
        self._failures = 0
        self._open_ms = OPEN_MS
        self._opens_until_ms: int | None = None
        """None while it is closed."""
        self._is_trying = False
        """Whether the one call of a half-open breaker is under way."""

    def admit(self, now_ms: int) -> int:
        """Returns 0 if a call may be made, else after how many milliseconds to ask again."""
        if self._opens_until_ms is None:
            return 0
        if now_ms < self._opens_until_ms:
            return self._opens_until_ms - now_ms
        if self._is_trying:
            return OPEN_MS
        self._is_trying = True
        return 0

    def wait_ms(self, now_ms: int) -> int:
        """Returns as `admit` does, for a stream: it lasts too long to be the one call."""
        return max((self._opens_until_ms or now_ms) - now_ms, 0)

    def ended(self, now_ms: int, *, is_reached: bool) -> None:
        """Counts the outcome of a call: whether the instance answered it."""
        self._is_trying = False
        if is_reached:
            self._failures, self._open_ms, self._opens_until_ms = 0, OPEN_MS, None
            return
        self._failures += 1
        if self._opens_until_ms is None:
            if self._failures >= FAILURES:
                self._opens_until_ms = now_ms + self._open_ms
        elif now_ms >= self._opens_until_ms:
            self._open_ms = min(2 * self._open_ms, MAX_OPEN_MS)
            self._opens_until_ms = now_ms + self._open_ms

    def withdrawn(self) -> None:
        """Counts a call that its caller gave up: it says nothing of the instance."""
        self._is_trying = False
