"""The numbers of all records that a node signs of itself: each is greater than any before.

Of two records of a peer others believe the one with the greater number, so one that is signed
after a restart, or when the clock was set back, must not have a smaller one.

Spec: docs/protocol/discovery.md, DIS-24.
"""

from typing import Final

AHEAD: Final = 65_536
"""Numbers that are on disk before they are used. A run signs a record an hour, and one for each
change of what is offered, which stores again how far they go."""


class RecordNumbers:
    """One for all signers of a node's records. Not thread-safe."""

    def __init__(self) -> None:
        self._last = 0

    def started(self, reserved: int, now_ms: int) -> None:
        """Begins after what the last run may have used, and with the time, as others do."""
        self._last = max(self._last, reserved, now_ms)

    def next(self) -> int:
        """Returns the number of a new record."""
        self._last += 1
        return self._last

    @property
    def reserved(self) -> int:
        """What is to be stored: no number that is used before the next storing is greater."""
        return self._last + AHEAD
