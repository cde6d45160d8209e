"""The requests that have not ended, and what each of them waits for."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from logos_base.machine import Ticket
from logos_delivery.core.sending.outcomes import Route
from logos_delivery.core.sending.request import Event, Request, RequestState


class Step(Enum):
    """What a request waits for."""

    SAVING = auto()
    PARKED = auto()
    """Budget."""
    QUEUED = auto()
    """Its turn."""
    PROVING = auto()
    PUSHING = auto()
    RETRY = auto()
    """The next round: to be tried again."""
    UNSAVED = auto()
    """The next round: to be stored again."""
    WAITING = auto()
    """A store node's word."""
    ASKING = auto()
    """The answer of a store node that is asked through the mix-net."""


OF_ROUNDS: Final = (Step.RETRY, Step.UNSAVED, Step.WAITING)


@dataclass(slots=True)
class Entry:
    """A request that has not ended."""

    request: Request
    step: Step = Step.SAVING
    ticket: Ticket | None = None
    since_ms: int = 0
    """When its time began: with admission, with propagation, or with a restart."""
    routes: list[Route] = field(default_factory=list)
    """That are left in this round."""
    is_doubtful: bool = False
    """Whether it may have been taken without an answer."""
    reproven: int = 0
    """Proofs that were not accepted."""
    asked_ms: int | None = None
    """When a store node was last asked for it."""

    @property
    def is_propagated(self) -> bool:
        """Whether another node has it."""
        return self.request.propagated_ms is not None

    @property
    def event(self) -> Event | None:
        """What is to be told when the request is stored as it is now."""
        told = self.request.state not in {RequestState.PARKED, RequestState.SENDING}
        return self.request.event if told else None


class Pending:
    """All of them, in the order of their acceptance."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._steps: Counter[Step] = Counter()
        self.size_bytes = 0
        self.parked: dict[str, None] = {}
        """Those that wait for budget, in the order of their turn; as `queued`."""
        self.queued: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def __getitem__(self, request_id: str) -> Entry:
        return self._entries[request_id]

    def get(self, request_id: str) -> Entry | None:
        """Returns a request, if it has not ended."""
        return self._entries.get(request_id)

    def count(self, *steps: Step) -> int:
        """Returns how many wait for one of these."""
        return sum(self._steps[step] for step in steps)

    def add(self, entry: Entry) -> None:
        """Takes a request up."""
        self._entries[entry.request.request_id] = entry
        self.size_bytes += entry.request.size_bytes
        self._steps[entry.step] += 1

    def forget(self, entry: Entry) -> None:
        """Drops a request that has ended."""
        del self._entries[entry.request.request_id]
        self.size_bytes -= entry.request.size_bytes
        self._steps[entry.step] -= 1

    def move(self, entry: Entry, step: Step) -> None:
        """Lets a request wait for something else."""
        request_id = entry.request.request_id
        self._steps[entry.step] -= 1
        self._steps[step] += 1
        self.parked.pop(request_id, None)
        self.queued.pop(request_id, None)
        entry.step = step
        if step is Step.PARKED:
            self.parked[request_id] = None
        elif step is Step.QUEUED:
            self.queued[request_id] = None
