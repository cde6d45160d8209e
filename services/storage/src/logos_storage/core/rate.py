"""How fast something grows: over the last seconds, so that it follows and does not jump."""

from collections import deque
from typing import Final

WINDOW_MS: Final = 5_000


class Rate:
    """A count that grows, noted at any times. Memory: the notes of one window."""

    def __init__(self) -> None:
        self._notes: deque[tuple[int, int]] = deque()

    def clear(self) -> None:
        """Forgets all notes: what comes next may be less, or after a pause."""
        self._notes.clear()

    def note(self, count: int, now_ms: int) -> None:
        """The count is this now."""
        self._notes.append((now_ms, count))
        while len(self._notes) > 2 and self._notes[1][0] <= now_ms - WINDOW_MS:
            self._notes.popleft()

    @property
    def per_second(self) -> int:
        """Returns the growth between the first and the last note of the window, rounded down."""
        if not self._notes:
            return 0
        (first_ms, first), (last_ms, last) = self._notes[0], self._notes[-1]
        if last_ms <= first_ms:
            return 0
        return max(0, last - first) * 1000 // (last_ms - first_ms)
