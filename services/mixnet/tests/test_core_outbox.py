"""MIX-22: packets of own messages that have not left."""

import pytest

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.mixing.errors import LinkDownError, PoolTooSmallError, QueueFullError
from logos_mixnet.core.mixing.outbox import MAX_QUEUED_BYTES, MAX_TRIES, Drawn, Made, Outbox
from logos_mixnet.core.rln.errors import ProofLateError

DRAWN = Drawn(b"padded", "peer", b"", 5)
MADE = Made(b"hop", b"packet")
DOWN = LinkDownError("down")


def taken(outbox: Outbox, now_ms: int = 100) -> list[int]:
    numbers = []
    while (piece := outbox.take(now_ms)) is not None:
        numbers.append(piece.number)
    return numbers


def test_a_message_is_answered_for_when_its_last_packet_has_left() -> None:
    outbox = Outbox()
    outbox.put(Ticket(1), [(5.0, DRAWN), (1.0, DRAWN)], 10)
    assert outbox.due_ms() == 1.0
    assert outbox.take(0) is None
    early, late = taken(outbox)
    assert outbox.settle(early, None, 100) == []
    assert outbox.queued_bytes == 10
    assert outbox.settle(late, None, 100) == [Answer(Ticket(1), 2)]
    assert (outbox.queued_bytes, outbox.sent, outbox.due_ms()) == (0, 2, None)


def test_a_packet_without_a_link_gets_other_paths_and_is_then_given_up() -> None:
    outbox = Outbox()
    outbox.put(Ticket(1), [(0.0, DRAWN)], 10)
    for _ in range(MAX_TRIES - 1):
        [number] = taken(outbox)
        assert outbox.settle(number, DOWN, 100) == []
    [number] = taken(outbox)
    assert outbox.settle(number, DOWN, 100) == [Refuse(Ticket(1), DOWN)]
    assert outbox.queued_bytes == 0


def test_a_packet_that_was_made_or_fails_otherwise_is_not_tried_anew() -> None:
    outbox, small = Outbox(), PoolTooSmallError("small")
    outbox.put(Ticket(1), [(0.0, MADE)], 1)
    outbox.put(Ticket(2), [(0.0, DRAWN)], 1)
    first, second = taken(outbox)
    assert outbox.settle(first, DOWN, 100) == [Refuse(Ticket(1), DOWN)]
    assert outbox.settle(second, small, 100) == [Refuse(Ticket(2), small)]


@pytest.mark.parametrize("what", [DRAWN, MADE], ids=["drawn", "made"])
def test_a_packet_whose_proof_came_late_gets_others_and_is_then_given_up(
    what: Drawn | Made,
) -> None:
    """RLN-38. It has not left: so one that is made may leave with another proof."""
    outbox, late = Outbox(), ProofLateError("late")
    outbox.put(Ticket(1), [(0.0, what)], 10)
    for _ in range(MAX_TRIES - 1):
        [number] = taken(outbox)
        assert outbox.settle(number, late, 100) == []
    [number] = taken(outbox)
    assert outbox.settle(number, late, 100) == [Refuse(Ticket(1), late)]
    assert outbox.queued_bytes == 0


def test_of_a_refused_message_no_other_packet_leaves() -> None:
    outbox, small = Outbox(), PoolTooSmallError("small")
    outbox.put(Ticket(1), [(0.0, DRAWN), (0.0, DRAWN), (200.0, DRAWN)], 1)
    first, second = taken(outbox)
    assert outbox.settle(first, small, 100) == [Refuse(Ticket(1), small)]
    assert outbox.settle(second, None, 100) == []
    assert taken(outbox, 300) == []
    assert outbox.settle(99, None, 300) == []


def test_what_waits_is_bounded() -> None:
    outbox = Outbox()
    outbox.put(Ticket(1), [(0.0, DRAWN)], MAX_QUEUED_BYTES)
    with pytest.raises(QueueFullError):
        outbox.put(Ticket(2), [(0.0, DRAWN)], 1)
    [number] = taken(outbox)
    outbox.settle(number, None, 100)
    outbox.put(Ticket(2), [(0.0, DRAWN)], 1)
