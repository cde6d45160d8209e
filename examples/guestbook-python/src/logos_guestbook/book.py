"""The entries of the book: one CID a line, in a file that only grows."""

import os
from pathlib import Path
from typing import Final

from logos_guestbook.errors import BookFullError, EntryUnknownError

MAX_ENTRIES: Final = 10_000
PAGE: Final = 100


class Book:
    """A list of CIDs that outlives the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_text(encoding="ascii") if path.exists() else ""
        # What follows the last newline was being written when the process was killed.
        self._cids = text.split("\n")[:-1]
        path.write_text("".join(f"{cid}\n" for cid in self._cids), encoding="ascii")

    def __len__(self) -> int:
        return len(self._cids)

    def add(self, cid: str) -> None:
        """Adds an entry; it is on the disk when this returns. One that is there stays as it is."""
        if cid in self._cids:
            return
        if len(self._cids) >= MAX_ENTRIES:
            raise BookFullError(f"the book has {MAX_ENTRIES} entries")
        with self._path.open("a", encoding="ascii") as file:
            file.write(f"{cid}\n")
            file.flush()
            os.fsync(file.fileno())
        self._cids.append(cid)

    def page(self, offset: int) -> list[str]:
        """Returns entries from an offset on, oldest first."""
        return self._cids[offset : offset + PAGE]

    def require(self, cid: str) -> None:
        """Refuses what is no entry."""
        if cid not in self._cids:
            raise EntryUnknownError(f"the book has no entry {cid!r}")
