"""Decides when fetched blocks are made durable: a machine (`logos_base.machine`).

The bitfield on disk lists the blocks that are there, so it is written after them: first they
are synchronised, then the bitfield is written as it was when that began (STO-14). It may be
lost in a crash: then blocks are fetched again. Blocks keep arriving during a flush: a slow
disk must not look like a slow peer.
"""

from dataclasses import dataclass
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_storage.core.bitfield import Bitfield

FLUSH_BYTES: Final = 64 * 1024 * 1024
FLUSH_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Sync:
    """Make durable all blocks written so far; report `synced` or `failed`."""


@dataclass(frozen=True, slots=True)
class Note:
    """Write the bitfield; report `noted` or `failed`."""

    bits: bytes


@dataclass(frozen=True, slots=True)
class Complete:
    """Mark the tree as complete, instead of writing a bitfield; report `noted` or `failed`."""


Effect = Sync | Note | Complete | Answer | Refuse


class Flush:
    """The flushes of one tree, one at a time.

    `bitfield` is written by the store before it reports `written`.
    """

    def __init__(self, bitfield: Bitfield, now_ms: int) -> None:
        self._bitfield = bitfield
        self._dirty_bytes = 0
        """Written since the last flush began."""
        self._flushing_bytes = 0
        """Covered by the flush under way."""
        self._flushed_at_ms = now_ms
        self._is_flushing = False
        self._bits: bytes | None = None
        """The bitfield that the flush under way will write; None: the tree is complete."""
        self._is_noted_complete = bitfield.is_full
        self._waiting: list[Ticket] = []

    def written(self, size_bytes: int, now_ms: int) -> list[Effect]:
        """Blocks are on disk, not yet durable."""
        self._dirty_bytes += size_bytes
        return self.tick(now_ms)

    def finish(self, ticket: Ticket, now_ms: int) -> list[Effect]:
        """Answers once all that was written is durable and noted.

        Refused with what `failed` was given; it may be tried again.
        """
        self._waiting.append(ticket)
        return self._go_on(now_ms)

    def replaced(self, now_ms: int) -> list[Effect]:
        """A complete tree has replaced this one: nothing is left to write."""
        self._dirty_bytes, self._is_noted_complete = 0, True
        return self._go_on(now_ms)

    def synced(self, now_ms: int) -> list[Effect]:
        """What was written before `Sync` is durable."""
        if self._is_noted_complete:  # meanwhile, by `replaced`
            return self.noted(now_ms)
        return [Complete() if self._bits is None else Note(self._bits)]

    def noted(self, now_ms: int) -> list[Effect]:
        """The flush is done."""
        self._is_flushing = False
        self._is_noted_complete = self._is_noted_complete or self._bits is None
        return self._go_on(now_ms)

    def failed(self, error: Exception, now_ms: int) -> list[Effect]:
        """The flush has failed; its bytes wait for the next."""
        self._is_flushing = False
        self._dirty_bytes += self._flushing_bytes
        waiting, self._waiting = self._waiting, []
        return [Refuse(ticket, error) for ticket in waiting]

    def tick(self, now_ms: int) -> list[Effect]:
        """Flushes once enough bytes or enough time have accumulated."""
        is_late = self._dirty_bytes > 0 and now_ms >= self._flushed_at_ms + FLUSH_MS
        is_due = self._dirty_bytes >= FLUSH_BYTES or is_late
        return self._begin(now_ms) if is_due and not self._is_flushing else []

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        is_waiting = self._dirty_bytes > 0 and not self._is_flushing
        return self._flushed_at_ms + FLUSH_MS if is_waiting else None

    def _go_on(self, now_ms: int) -> list[Effect]:
        if self._is_flushing:
            return []
        if self._waiting and self._dirty_bytes and not self._is_noted_complete:
            return self._begin(now_ms)
        waiting, self._waiting = self._waiting, []
        return [Answer(ticket) for ticket in waiting]

    def _begin(self, now_ms: int) -> list[Effect]:
        self._flushing_bytes, self._dirty_bytes = self._dirty_bytes, 0
        self._flushed_at_ms = now_ms
        if self._is_noted_complete:
            return self._go_on(now_ms)
        self._is_flushing = True
        self._bits = None if self._bitfield.is_full else self._bitfield.to_bytes()
        return [Sync()]
