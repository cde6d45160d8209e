"""What storage tells its node as events (STO-41)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from logos_storage.core.cid import Cid

MAX_MARK: Final = 64
"""Characters of a mark (STO-42)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A put has ended well."""

    cid: Cid
    filename: str
    size_bytes: int
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """All of a dataset has come from other nodes."""

    cid: Cid
    filename: str
    size_bytes: int
    providers: tuple[str, ...]
    """Those that sent blocks, those with the most first."""
    took_ms: int
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A dataset was deleted from this node."""

    cid: Cid
    filename: str
    freed_bytes: int
    mark: str = ""


Happening = Stored | Fetched | Deleted
Tell = Callable[[Happening], None]
"""Tells the node; never waits, never fails."""


def mark_of(sent: str) -> str:
    """Returns a mark that a caller has sent: it is cut, and one that is not printable is none."""
    return sent[:MAX_MARK] if sent.isascii() and sent.isprintable() else ""
