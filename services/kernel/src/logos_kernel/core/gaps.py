"""What a reader of the log has missed: events that were removed before it came to them (KER-36)."""

from collections.abc import Iterator
from dataclasses import dataclass

from logos_kernel.core.events import Page


@dataclass(frozen=True, slots=True)
class Missed:
    """Events of a topic that a reader will never see."""

    topic: str
    first: int
    """Sequence; 0: not known."""
    last: int
    """Sequence."""


class Gaps:
    """Tells each gap once. `read` holds the last sequences that are known to be read, by topic."""

    def __init__(self, read: dict[str, int] | None = None) -> None:
        self._read = read or {}

    def in_page(self, page: Page) -> Iterator[Missed]:
        """Counts a page as read, and yields what was removed before it."""
        for one in page.removed:
            read = self._read.get(one.topic)
            if read is None or one.sequence > read:
                yield Missed(one.topic, 0 if read is None else read + 1, one.sequence)
                self._read[one.topic] = one.sequence
        for event in page.events:
            self._read[event.topic] = event.sequence
