"""This member's message ids: each once an epoch, whatever ends the process (RLN-18).

A range of ids is durable before one of them is handed out. What was reserved when the process
ended is not used any more; so a crash costs ids, and never the secret.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.errors import BudgetSpentError, TooManyWaitingError

MAX_WAITING: Final = 1_024
KEPT_EPOCHS: Final = 1_024
"""Epochs whose ids are remembered, so that a clock that jumped ahead may come back."""
RESERVATIONS: Final = 4
"""Into how many ranges an epoch's ids are divided: so many writes an epoch, at most."""


class Purpose(Enum):
    """What an id is for. Only a message of this node's own waits for the next epoch."""

    OWN = "own"
    FORWARD = "forward"
    COVER = "cover"


@dataclass(frozen=True, slots=True)
class Slot:
    """One message id of one epoch, handed out once."""

    epoch: int
    message_id: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """Ids of an epoch that must not be handed out again: those below `until`."""

    epoch: int
    until: int


@dataclass(frozen=True, slots=True)
class Save:
    """Make a reservation durable, in place of that of its epoch; report `saved` or `not_saved`.

    In the same transaction `floor` is stored, and reservations of epochs up to it are removed.
    """

    reserved: Reserved
    floor: int


Effect = Save | Answer | Refuse
_Waiting = tuple[Ticket, Purpose]


class MessageIds:
    """The machine. `take` is answered with a `Slot`."""

    def __init__(
        self, limit: int, epochs: Epochs, reserved: Iterable[Reserved] = (), floor: int = -1
    ) -> None:
        """Begins with what is stored.

        Args:
            limit: The member's limit, 1 to 65,535.
            epochs: The application's epochs.
            reserved: Every stored reservation.
            floor: The last epoch that may not be used, as stored with them; -1 if none was.
        """
        self._limit = limit
        self._epochs = epochs
        self._step = -(-limit // RESERVATIONS)
        self._durable = {each.epoch: each.until for each in reserved}
        self._next = dict(self._durable)
        self._floor = floor
        self._waiting: deque[_Waiting] = deque()
        self._saving: Save | None = None
        self._wake_ms: int | None = None
        self.handed_out: Counter[Purpose] = Counter()
        self.refused: Counter[Purpose] = Counter()
        self.deferred = 0
        """Messages of this node's own that had to wait for another epoch."""

    def take(self, ticket: Ticket, purpose: Purpose, now_ms: int) -> list[Effect]:
        """Asks for an id.

        Refuses with `BudgetSpentError` a forward or cover for which none is left, and with
        `TooManyWaitingError` whatever comes while `MAX_WAITING` wait.
        """
        if len(self._waiting) >= MAX_WAITING:
            self.refused[purpose] += 1
            return [Refuse(ticket, TooManyWaitingError("too many messages wait for an id"))]
        is_spent = self.left(now_ms) == 0
        if is_spent and purpose is Purpose.OWN:
            self.deferred += 1
        self._waiting.append((ticket, purpose))
        return self._serve(now_ms)

    def saved(self, save: Save, now_ms: int) -> list[Effect]:
        """Takes note that a reservation is durable."""
        reserved = save.reserved
        self._saving = None
        self._next.setdefault(reserved.epoch, self._durable.get(reserved.epoch, 0))
        self._durable[reserved.epoch] = reserved.until
        self._forget(save.floor)
        return self._serve(now_ms)

    def not_saved(self, _save: Save, error: Exception, _now_ms: int) -> list[Effect]:
        """Refuses all that wait, with the error: nothing is sent that is not durable."""
        self._saving = None
        self._wake_ms = None
        refused = list(self._waiting)
        self._waiting.clear()
        self.refused.update(purpose for _, purpose in refused)
        return [Refuse(ticket, error) for ticket, _ in refused]

    def tick(self, now_ms: int) -> list[Effect]:
        """Serves what waited for an epoch."""
        return self._serve(now_ms)

    def next_wake_ms(self) -> int | None:
        """Returns when the epoch begins that messages wait for."""
        return self._wake_ms

    def left(self, now_ms: int) -> int:
        """Returns how many ids are left in the present epoch."""
        epoch = self._epochs.at(now_ms)
        return 0 if epoch <= self._floor else self._limit - self._next.get(epoch, 0)

    def upcoming(self, count: int, now_ms: int) -> list[Slot]:
        """Returns the ids that will be handed out next, to prepare proofs for (RLN-16)."""
        slots: list[Slot] = []
        first = max(self._epochs.at(now_ms), self._floor + 1)
        for epoch in (first, first + 1):
            ids = range(self._next.get(epoch, 0), self._limit)
            slots += [Slot(epoch, each) for each in ids[: count - len(slots)]]
        return slots

    def is_taken(self, slot: Slot) -> bool:
        """Says whether an id was handed out, or is not handed out any more."""
        return slot.epoch <= self._floor or slot.message_id < self._next.get(slot.epoch, 0)

    def _serve(self, now_ms: int) -> list[Effect]:
        epoch = self._epochs.at(now_ms)
        effects: list[Effect] = []
        self._wake_ms = None
        while self._waiting and self._next.get(epoch, 0) < self._durable.get(epoch, 0):
            if epoch <= self._floor:
                break
            effects.append(self._hand_out(epoch))
        if self._waiting and self.left(now_ms) == 0:
            effects += self._refuse_spent()
            if self._waiting:
                self._wake_ms = self._epochs.start_ms(self._next_with_ids(epoch))
        elif self._waiting and self._saving is None:
            until = min(self._limit, self._durable.get(epoch, 0) + self._step)
            self._saving = Save(Reserved(epoch, until), self._new_floor(epoch))
            effects.append(self._saving)
        return effects

    def _next_with_ids(self, epoch: int) -> int:
        # Where the clock was set back, the epochs that follow may be spent as well.
        found = max(epoch, self._floor) + 1
        while self._next.get(found, 0) >= self._limit:
            found += 1
        return found

    def _hand_out(self, epoch: int) -> Answer:
        ticket, purpose = self._waiting.popleft()
        message_id = self._next.get(epoch, 0)
        self._next[epoch] = message_id + 1
        self.handed_out[purpose] += 1
        return Answer(ticket, Slot(epoch, message_id))

    def _refuse_spent(self) -> list[Effect]:
        kept = deque(each for each in self._waiting if each[1] is Purpose.OWN)
        refused = [each for each in self._waiting if each[1] is not Purpose.OWN]
        self._waiting = kept
        self.refused.update(purpose for _, purpose in refused)
        error = BudgetSpentError("no message id is left in this epoch")
        return [Refuse(ticket, error) for ticket, _ in refused]

    def _new_floor(self, epoch: int) -> int:
        # Bounds what is kept; an epoch at or below the floor is never used again.
        known = sorted({*self._durable, epoch})
        return self._floor if len(known) <= KEPT_EPOCHS else max(self._floor, known[0])

    def _forget(self, floor: int) -> None:
        self._floor = max(self._floor, floor)
        for held in (self._durable, self._next):
            for epoch in [each for each in held if each <= self._floor]:
                del held[epoch]
