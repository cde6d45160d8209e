"""What the protocols need of an archive."""

from collections.abc import Sequence
from typing import Protocol

from logos_delivery.core.archive.types import Entry, Page, Position, Query


class Archive(Protocol):
    """Messages on disk. Several nodes may share one (DST-14)."""

    async def put(self, entries: Sequence[Entry]) -> int:
        """Keeps messages, each once by its hash, durably; returns how many are new.

        Raises:
            DiskFullError, StoreFailedError: None of them is kept.
            ArchiveBusyError: None of them is kept: too many are waiting.
        """
        ...

    async def query(self, query: Query) -> Page:
        """Returns a page.

        Raises:
            StoreQueryInvalidError: The query breaks a rule (DST-4).
            StoreCursorUnknownError: The message that the cursor names is not kept.
            StoreFailedError: The archive cannot be read now.
        """
        ...

    async def present(self, hashes: Sequence[bytes]) -> frozenset[bytes]:
        """Returns which of these messages are kept."""
        ...

    async def positions(self, after: Position, limit: int) -> Sequence[tuple[Position, str, str]]:
        """Returns messages after a position, oldest first, with pubsub and content topic."""
        ...

    async def count(self) -> int:
        """Returns how many messages are kept."""
        ...

    async def size_bytes(self) -> int:
        """Returns what they take on disk: the sum of `Entry.size_bytes`."""
        ...

    async def oldest_ns(self) -> int | None:
        """Returns the timestamp of the oldest message; None if there is none."""
        ...

    async def newest_ns(self) -> int | None:
        """Returns the timestamp of the newest message; None if there is none."""
        ...

    async def first_of_newest(self, count: int) -> Position | None:
        """Returns where the newest so many messages begin; None if there are no more."""
        ...

    async def first_of_newest_bytes(self, size_bytes: int) -> Position | None:
        """Returns where the newest messages begin that take no more than so many bytes.

        None if all take no more. One at least is among them.
        """
        ...

    async def delete_before(self, position: Position, limit: int) -> int:
        """Deletes the oldest messages before a position; returns how many, up to the limit."""
        ...

    async def reclaim(self) -> bool:
        """Gives some unused room back to the disk; returns whether there may be more."""
        ...
