import pytest

from logos_base.errors import ErrorKind
from logos_crypto.prover import (
    Priority,
    ProofQueue,
    ProverQueueFullError,
    WitnessError,
)

FIRST, LATER = Priority.LEADERSHIP, Priority.ORDINARY


def taken(queue: ProofQueue[str]) -> list[str]:
    return [item for item in iter(queue.take, None) if item is not None]


def test_leadership_comes_first_and_equals_in_their_order() -> None:
    queue: ProofQueue[str] = ProofQueue()
    for item, priority in (("a", LATER), ("b", FIRST), ("c", LATER), ("d", FIRST)):
        queue.put(item, priority)

    assert taken(queue) == ["b", "d", "a", "c"]


def test_each_priority_has_room_of_its_own() -> None:
    queue: ProofQueue[str] = ProofQueue(capacity=2)
    queue.put("a", LATER)
    queue.put("b", LATER)

    with pytest.raises(ProverQueueFullError) as refused:
        queue.put("c", LATER)
    queue.put("d", FIRST)

    assert refused.value.kind is ErrorKind.RESOURCE_EXHAUSTED
    assert refused.value.reason == "PROVER_QUEUE_FULL"
    assert (queue.count(FIRST), queue.count(LATER), len(queue)) == (1, 2, 3)
    assert taken(queue) == ["d", "a", "b"]


def test_removing_one_from_the_middle_makes_room() -> None:
    queue: ProofQueue[str] = ProofQueue(capacity=3)
    for item in "abc":
        queue.put(item, LATER)

    assert queue.remove("b")
    assert not queue.remove("b")
    queue.put("d", LATER)

    assert taken(queue) == ["a", "c", "d"]
    assert not queue.remove("a")


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ProofQueue(capacity=0)


def test_a_witness_error_names_circuit_and_relation() -> None:
    error = WitnessError("pol", "ticket_below_threshold")

    assert str(error) == "the witness for pol breaks ticket_below_threshold"
    assert (error.kind, error.reason) == (ErrorKind.INVALID_ARGUMENT, "WITNESS_INVALID")
    assert (error.circuit, error.relation) == ("pol", "ticket_below_threshold")
