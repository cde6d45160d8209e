"""Jobs of the prover, their order and their errors: the pure half of the prover.

`logos_module.prover` runs the jobs in threads, `logos_crypto.jobs` implements them. Code that
only catches their errors needs only this half.
"""

from enum import IntEnum
from typing import Final, Generic, Protocol, TypeVar

from logos_base.errors import ErrorKind, LocalFaultError
from logos_crypto.circuits import Cancellation

DEFAULT_CAPACITY: Final = 64
"""Maximum number of waiting jobs of each priority."""


class Priority(IntEnum):
    """Order of the waiting jobs: the lowest first, and of equals the oldest."""

    LEADERSHIP = 0
    """A proof of leadership: its block loses against every earlier one."""
    ORDINARY = 1


R_co = TypeVar("R_co", covariant=True)


class ProofJob(Protocol[R_co]):
    """One proof to make. Holds secrets: nothing here prints, compares or copies it."""

    @property
    def circuit(self) -> str:
        """The circuit's name, a label of metrics: there are few."""
        ...

    def check(self) -> None:
        """Checks that the witness satisfies the circuit. Runs in a worker thread.

        Raises:
            WitnessError: It does not.
        """
        ...

    def run(self, cancelled: Cancellation) -> R_co:
        """Makes the proof, after `check`. Runs in a worker thread, without the GIL.

        It checks `cancelled` about ten times a second. Once cancelled it ends soon; its result
        or error is ignored.
        """
        ...


class WitnessError(LocalFaultError):
    """A witness does not satisfy a relation of its circuit. The text holds none of its values."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "WITNESS_INVALID"

    def __init__(self, circuit: str, relation: str) -> None:
        super().__init__(f"the witness for {circuit} breaks {relation}")
        self.circuit = circuit
        self.relation = relation


class ProverQueueFullError(LocalFaultError):
    """Too many jobs of this priority wait."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "PROVER_QUEUE_FULL"


class ProverClosedError(LocalFaultError):
    """The prover is closed, or was closed before the job was done."""

    kind = ErrorKind.UNAVAILABLE
    reason = "PROVER_CLOSED"


class ProofFailedError(LocalFaultError):
    """Proving failed though the witness is valid: a fault of the prover.

    It has only the class of the failure: its text could hold secrets.
    """

    kind = ErrorKind.INTERNAL
    reason = "PROOF_FAILED"

    def __init__(self, circuit: str, failure: str) -> None:
        super().__init__(f"proving {circuit} failed with {failure}")
        self.circuit = circuit
        self.failure = failure


T = TypeVar("T")


class ProofQueue(Generic[T]):
    """Waiting jobs. Each priority has its own capacity.

    So a proof of leadership is not refused because of others that wait.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._capacity = capacity
        # A dictionary keeps the order, and removes any item in constant time.
        self._waiting: dict[Priority, dict[T, None]] = {each: {} for each in sorted(Priority)}

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def count(self, priority: Priority) -> int:
        """Returns the number of waiting items of a priority."""
        return len(self._waiting[priority])

    def put(self, item: T, priority: Priority) -> None:
        """Appends an item.

        Raises:
            ProverQueueFullError: The capacity of this priority is exhausted.
        """
        waiting = self._waiting[priority]
        if len(waiting) >= self._capacity:
            raise ProverQueueFullError(
                f"{len(waiting)} proofs of this priority are waiting; try again later"
            )
        waiting[item] = None

    def take(self) -> T | None:
        """Removes and returns the next item; None if none waits."""
        for waiting in self._waiting.values():
            for item in waiting:
                del waiting[item]
                return item
        return None

    def remove(self, item: T) -> bool:
        """Removes an item; returns False if it does not wait."""
        for waiting in self._waiting.values():
            if item in waiting:
                del waiting[item]
                return True
        return False
