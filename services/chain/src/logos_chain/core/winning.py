"""The slots of one epoch that this node's notes win: what was searched, and what was found.

It is searched in parts, and all notes as far as the same slot before any goes on, so that slots
that come soon are found first.

Spec: docs/protocol/chain-leading.md, LEA-3, LEA-4; chain-consensus.md, CON-16.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from logos_chain.core.consensus.epochs import EpochState

PART_SLOTS: Final = 1024
"""Slots of one part: 70 ms of one core."""
MAX_WINS: Final = 65_536
"""Pairs of slot and note that are kept; the search waits until some are past."""


@dataclass(frozen=True, slots=True)
class Part:
    """Slots to search for one note."""

    epoch: EpochState
    note: bytes
    """Its id, 32 bytes."""
    first: int
    end: int
    """Not included."""


class Winning:
    """Of one epoch on one chain. It has no secrets, and computes no ticket."""

    def __init__(self, epoch: EpochState, first: int, end: int) -> None:
        """
        Args:
            epoch: Its nonce and its stake are fixed.
            first: Its first slot.
            end: The first slot after it.
        """
        self.epoch = epoch
        self._first = first
        self._end = end
        self._searched: dict[bytes, int] = {}
        """By note: the first slot that was not searched yet."""
        self._notes: dict[int, list[bytes]] = {}
        self._slots: list[int] = []
        self._wins = 0

    def __len__(self) -> int:
        """Pairs of slot and note that were found and not taken."""
        return self._wins

    @property
    def first(self) -> int | None:
        """The earliest slot that was found."""
        return self._slots[0] if self._slots else None

    def enter(self, notes: Iterable[bytes], first: int) -> None:
        """These notes take part, and no others; new ones from a slot on."""
        before = self._searched
        start = max(first, self._first)
        self._searched = {each: before.get(each, start) for each in notes}

    def next_part(self, now_slot: int) -> Part | None:
        """Returns what to search next; slots that are past are left out."""
        if not self._searched or self._wins >= MAX_WINS:
            return None
        note = min(self._searched, key=self._searched.__getitem__)
        first = max(self._searched[note], now_slot)
        if first >= self._end:
            return None
        return Part(self.epoch, note, first, min(first + PART_SLOTS, self._end))

    def found(self, part: Part, slots: Iterable[int]) -> None:
        """A part was searched, with these slots won in it."""
        if part.epoch != self.epoch or part.note not in self._searched:
            return
        self._searched[part.note] = part.end
        for slot in slots:
            if slot not in self._notes:
                heapq.heappush(self._slots, slot)
                self._notes[slot] = []
            if part.note not in self._notes[slot]:
                self._notes[slot].append(part.note)
                self._wins += 1

    def take(self) -> tuple[int, list[bytes]]:
        """Removes the earliest slot; returns it and the notes that win it. There is one."""
        slot = heapq.heappop(self._slots)
        notes = self._notes.pop(slot)
        self._wins -= len(notes)
        return slot, notes
