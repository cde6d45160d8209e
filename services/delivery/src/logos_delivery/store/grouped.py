"""Puts that are written together: while one transaction runs, those that come wait for the next.

One that comes alone is written at once; under load one flush of the disk serves many.
Spec: docs/protocol/delivery-store.md, DST-15.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.archive.errors import ArchiveBusyError
from logos_delivery.core.archive.types import Entry

MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
MAX_GROUP: Final = 1000
"""Messages in one transaction, unless one put has more."""

Commit = Callable[[list[Entry]], Awaitable[set[bytes]]]
"""Writes messages in one transaction; returns the hashes of those that are new."""


@dataclass(slots=True, eq=False)
class _Put:
    entries: Sequence[Entry]
    size_bytes: int
    is_waiting: bool = True
    outcome: int | Exception | None = None
    """How many were new, or why none was written; None: it waits, or is being written."""


class Grouped:
    """The puts of one archive. The first that waits writes for all that do."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._waiting: deque[_Put] = deque()
        self._waiting_bytes = 0
        self._turn = asyncio.Lock()

    async def put(self, entries: Sequence[Entry]) -> int:
        """Writes messages; returns how many are new. Errors as `Archive.put`."""
        one = _Put(entries, sum(entry.size_bytes for entry in entries))
        if self._waiting and self._waiting_bytes + one.size_bytes > MAX_WAITING_BYTES:
            raise ArchiveBusyError(f"over {MAX_WAITING_BYTES} bytes wait to be written")
        self._waiting.append(one)
        self._waiting_bytes += one.size_bytes
        try:
            async with self._turn:
                if one.outcome is None:
                    await self._write(self._take())
        finally:
            if one.is_waiting:  # given up before its turn
                self._waiting.remove(one)
                self._waiting_bytes -= one.size_bytes
        if isinstance(one.outcome, int):
            return one.outcome
        raise one.outcome or ArchiveBusyError("not written")

    def _take(self) -> list[_Put]:
        group: list[_Put] = []
        count = 0
        while self._waiting and (not group or count + len(self._waiting[0].entries) <= MAX_GROUP):
            one = self._waiting.popleft()
            self._waiting_bytes -= one.size_bytes
            one.is_waiting = False
            count += len(one.entries)
            group.append(one)
        return group

    async def _write(self, group: list[_Put]) -> None:
        try:
            await self._write_all(group)
        except asyncio.CancelledError:
            # The transaction goes on; the next of them writes once more, which changes nothing.
            rest = [one for one in group[1:] if one.outcome is None]
            for one in reversed(rest):
                one.is_waiting = True
                self._waiting.appendleft(one)
                self._waiting_bytes += one.size_bytes
            raise

    async def _write_all(self, group: list[_Put]) -> None:
        try:
            new = await self._commit([entry for one in group for entry in one.entries])
        except LogosError as error:
            for one in group:
                one.outcome = error
        except Exception as error:  # noqa: BLE001 -- raised to the one whose message it is
            if len(group) == 1:
                group[0].outcome = error
                return
            for one in group:
                await self._write_all([one])
        else:
            for one in group:
                own = {entry.hash for entry in one.entries} & new
                one.outcome = len(own)
                new -= own
