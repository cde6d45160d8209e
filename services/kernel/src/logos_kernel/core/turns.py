"""Turns: who may call a module next, fair among callers (KER-30)."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final

from logos_base.machine import Answer, Ticket
from logos_kernel.core.errors import QueueFullError

MAX_UNDER_WAY: Final = 64
MAX_WAITING: Final = 256
MAX_WAITING_OF_ONE: Final = 64


class Turns:
    """Of one module. A turn is asked for with a ticket, and answered when it has come."""

    def __init__(self) -> None:
        self._under_way: set[Ticket] = set()
        self._waiting: OrderedDict[str, deque[Ticket]] = OrderedDict()
        """By caller; the first is next."""
        self.count = 0
        """How many wait."""

    def ask(self, ticket: Ticket, caller: str) -> Sequence[Answer]:
        """Asks for a turn, or raises `QueueFullError`."""
        if len(self._under_way) < MAX_UNDER_WAY:
            self._under_way.add(ticket)
            return [Answer(ticket)]
        of_one = len(self._waiting.get(caller, ()))
        if self.count == MAX_WAITING or of_one == MAX_WAITING_OF_ONE:
            raise QueueFullError(f"{self.count} calls wait for this module, {of_one} of them yours")
        self._waiting.setdefault(caller, deque()).append(ticket)
        self.count += 1
        return []

    def leave(self, ticket: Ticket) -> Sequence[Answer]:
        """Gives a turn back, or the wait for one up."""
        if ticket in self._under_way:
            self._under_way.remove(ticket)
            return self._next()
        for caller, tickets in self._waiting.items():
            if ticket in tickets:
                tickets.remove(ticket)
                self.count -= 1
                if not tickets:
                    del self._waiting[caller]
                break
        return []

    def _next(self) -> Sequence[Answer]:
        if not self._waiting:
            return []
        caller, tickets = self._waiting.popitem(last=False)
        ticket = tickets.popleft()
        self.count -= 1
        if tickets:
            self._waiting[caller] = tickets  # behind all others
        self._under_way.add(ticket)
        return [Answer(ticket)]
