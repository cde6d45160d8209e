"""Proofs that are prepared for the message ids that come next (RLN-25).

A preparation serves one id of one epoch under one root: one that is not used by the epoch's end
has cost a tenth of a second of a core for nothing. Where it is known which messages are going
to leave, as the mix knows what it holds, so many are prepared for each epoch, and one more only
where others than those have left lately. Elsewhere how many there are follows from how many were
used lately, and where none was, none is; towards the end of an epoch they are more and more those
of the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from logos_crypto.rln import Prepared
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.message_ids import MessageIds, Slot

MAX_PREPARED: Final = 256
LATELY: Final = 3
"""Epochs, the present one included, whose use says how many are prepared."""
UNFORESEEN: Final = 2
"""Messages of one epoch without a preparation, after which one is kept for such: of the mix's
cover now and then one leaves before its proof can be made."""


Departures = Callable[[int], int]
"""Returns how many messages are known that leave before a time, in Unix milliseconds."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A proof up to its message. Secret."""

    root: bytes
    prepared: Prepared = field(repr=False)


class ProofPool:
    """What is prepared, and what should be. Makes nothing itself."""

    def __init__(self, epochs: Epochs, limit: int) -> None:
        self._epochs = epochs
        self._most = min(limit, MAX_PREPARED)
        self._ready: dict[Slot, Ready] = {}
        self._used: dict[int, int] = {}
        """Ids that were taken, by epoch."""
        self._missed: dict[int, int] = {}
        """Of them, those for which no proof was prepared."""
        self.found = 0
        """Ids for which a proof was prepared when they were taken."""
        self.not_found = 0

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def slots(self) -> Sequence[Slot]:
        """The ids for which proofs are prepared."""
        return list(self._ready)

    @property
    def goal(self) -> int:
        """How many proofs should be prepared: half more than were used in an epoch, and one.

        None, if none was used lately: a module at rest costs nothing.
        """
        peak = max(self._used.values(), default=0)
        return min(self._most, 1 + peak + peak // 2) if peak else 0

    def missing(
        self, ids: MessageIds, now_ms: int, departures: Departures | None = None
    ) -> Slot | None:
        """Returns the id that a proof should be prepared for first; None if all are."""
        present, after = (
            self._share(now_ms) if departures is None else self._plan(departures, now_ms)
        )
        wanted = self._wanted(ids, now_ms, present, after)
        return next((each for each in wanted if each not in self._ready), None)

    def put(self, slot: Slot, ready: Ready) -> None:
        """Keeps a preparation for an id that is not taken yet."""
        self._ready[slot] = ready

    def take(self, slot: Slot, roots: tuple[bytes, ...]) -> Ready | None:
        """Returns the preparation for an id, if its root is accepted, and counts the id as used."""
        self._used[slot.epoch] = self._used.get(slot.epoch, 0) + 1
        ready = self._ready.pop(slot, None)
        if ready is None or ready.root not in roots:
            self.not_found += 1
            self._missed[slot.epoch] = self._missed.get(slot.epoch, 0) + 1
            return None
        self.found += 1
        return ready

    def keep(self, ids: MessageIds, roots: tuple[bytes, ...], now_ms: int) -> None:
        """Drops what cannot be used: of other epochs, of ids that were taken, of roots too old."""
        epoch = self._epochs.at(now_ms)
        for slot, ready in list(self._ready.items()):
            is_due = epoch <= slot.epoch <= epoch + 1
            if not is_due or ready.root not in roots or ids.is_taken(slot):
                del self._ready[slot]
        for counts in (self._used, self._missed):
            for each in [each for each in counts if not epoch - LATELY < each <= epoch]:
                del counts[each]

    def _share(self, now_ms: int) -> tuple[int, int]:
        """Returns how many are wanted for the present epoch and the next, by what was used."""
        goal = self.goal
        left_ms = self._next_ms(now_ms) - now_ms
        present = -(-goal * left_ms // self._epochs.period_ms)
        return present, goal - present

    def _plan(self, departures: Departures, now_ms: int) -> tuple[int, int]:
        """Returns the same by what is going to leave."""
        next_ms = self._next_ms(now_ms)
        present = departures(next_ms)
        after = departures(next_ms + self._epochs.period_ms) - present
        spare = max(self._missed.values(), default=0) >= UNFORESEEN
        return min(self._most, present + spare), min(self._most, after)

    def _next_ms(self, now_ms: int) -> int:
        return self._epochs.start_ms(self._epochs.at(now_ms) + 1)

    def _wanted(self, ids: MessageIds, now_ms: int, present: int, after: int) -> list[Slot]:
        epoch = self._epochs.at(now_ms)
        here = [each for each in ids.upcoming(present, now_ms) if each.epoch == epoch]
        there = ids.upcoming(after, self._next_ms(now_ms))
        return here + [each for each in there if each.epoch == epoch + 1]
