"""Marks: what a caller sends along to know the events again that its call leads to.

A module gives the mark of a call back in the events that follow. Nobody believes it.
"""

from collections.abc import Iterable
from typing import Final

MARK: Final = "event-mark"
"""Metadata of a call."""
MAX_MARK: Final = 64
"""Characters; the rest is cut."""


def mark_in(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Returns the mark of a call; empty if it has none, or one that is not printable ASCII."""
    sent = next((value for key, value in metadata or () if key == MARK), "")
    if not isinstance(sent, str) or not (sent.isascii() and sent.isprintable()):
        return ""
    return sent[:MAX_MARK]
