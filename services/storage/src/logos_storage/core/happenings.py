"""What storage tells its node as events (STO-41)."""

from collections.abc import Callable
from dataclasses import dataclass

from logos_storage.core.cid import Cid


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
