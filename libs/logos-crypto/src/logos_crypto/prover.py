"""What is to be proved, in which order, and how it can fail: the pure half of the prover.

`logos_module.prover` runs the jobs on threads, `logos_crypto.jobs` has those there are.
Whoever catches their errors needs this half only.
"""

from enum import IntEnum
from typing import Final, Generic, Protocol, TypeVar

from logos_base.errors import ErrorKind, LocalFaultError
from logos_crypto.circuits import Cancellation

DEFAULT_CAPACITY: Final = 64
"""Jobs of one priority that wait."""


class Priority(IntEnum):
    """Which of the waiting jobs comes next: the lowest, and of equals the oldest."""

    LEADERSHIP = 0
    """A proof of leadership: its block loses against every one that was earlier."""
    ORDINARY = 1


R_co = TypeVar("R_co", covariant=True)


class ProofJob(Protocol[R_co]):
    """One proof to be made. Holds secrets: nothing here prints, compares or copies it."""

    @property
    def circuit(self) -> str:
        """The circuit's name. It ends up in metrics: one of few."""
        ...

    def check(self) -> None:
        """Finds out whether the witness satisfies the circuit. Runs on a worker's thread.

        Raises:
            WitnessError: It does not.
        """
        ...

    def run(self, cancelled: Cancellation) -> R_co:
        """Makes the proof, after `check`. Runs on a worker's thread, without the GIL.

        It asks `cancelled` often, some ten times a second. Once cancelled it ends soon,
        and how it ends is nobody's concern.
        """
        ...


class WitnessError(LocalFaultError):
    """A witness does not satisfy a relation of its circuit. No value of it is named."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "WITNESS_INVALID"

    def __init__(self, circuit: str, relation: str) -> None:
        super().__init__(f"the witness for {circuit} breaks {relation}")
        self.circuit = circuit
        self.relation = relation


class ProverQueueFullError(LocalFaultError):
    """Too many jobs of this priority wait already."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "PROVER_QUEUE_FULL"


class ProverClosedError(LocalFaultError):
    """The prover takes no more jobs, or gave this one up because it ends."""

    kind = ErrorKind.UNAVAILABLE
    reason = "PROVER_CLOSED"


class ProofFailedError(LocalFaultError):
    """Proving broke down though the witness was right: a fault of the prover.

    It names the class of the failure alone: the text of it could hold secrets.
    """

    kind = ErrorKind.INTERNAL
    reason = "PROOF_FAILED"

    def __init__(self, circuit: str, failure: str) -> None:
        super().__init__(f"proving {circuit} failed with {failure}")
        self.circuit = circuit
        self.failure = failure


T = TypeVar("T")


class ProofQueue(Generic[T]):
    """What waits to be proved. Each priority has room of its own.

    So that however many others wait, a leader is not refused.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._capacity = capacity
        # A dictionary keeps the order and forgets one from the middle as quickly as the first.
        self._waiting: dict[Priority, dict[T, None]] = {each: {} for each in sorted(Priority)}

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def count(self, priority: Priority) -> int:
        """How many of a priority wait."""
        return len(self._waiting[priority])

    def put(self, item: T, priority: Priority) -> None:
        """Appends one.

        Raises:
            ProverQueueFullError: There is no room for this priority.
        """
        waiting = self._waiting[priority]
        if len(waiting) >= self._capacity:
            raise ProverQueueFullError(f"{len(waiting)} proofs of this priority wait already")
        waiting[item] = None

    def take(self) -> T | None:
        """Takes out the next one, or None where nothing waits."""
        for waiting in self._waiting.values():
            for item in waiting:
                del waiting[item]
                return item
        return None

    def remove(self, item: T) -> bool:
        """Takes out this one; False where it does not wait (any more)."""
        for waiting in self._waiting.values():
            if item in waiting:
                del waiting[item]
                return True
        return False
