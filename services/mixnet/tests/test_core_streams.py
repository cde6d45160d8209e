from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.machine import Answer, Ticket
from logos_mixnet.core.errors import InvalidProtocolError, ProtocolTakenError, StreamUnknownError
from logos_mixnet.core.streams import (
    ACCEPT_TIMEOUT_MS,
    MAX_ANNOUNCED_PER_PEER,
    Arrived,
    Incoming,
    Listen,
    Listener,
    Reset,
    Streams,
    Unlisten,
    check_protocol,
)

TICKET = Ticket(1)
CHAT = "/chat/1"


def listening(protocol: str = CHAT) -> tuple[Streams, Listener]:
    machine, listener = Streams(), Listener(protocol)
    assert machine.listen(TICKET, listener, 0) == [Listen(protocol), Answer(TICKET)]
    return machine, listener


def reset(effects: list[Any]) -> list[int]:
    return [effect.stream_id for effect in effects if isinstance(effect, Reset)]


def test_a_protocol_has_one_listener_and_ends_with_it() -> None:
    machine, listener = listening()

    other = Listener(CHAT)
    with pytest.raises(ProtocolTakenError):
        machine.listen(TICKET, other, 0)
    assert machine.unlisten(other, 0) == []
    assert machine.unlisten(listener, 0) == [Unlisten(CHAT)]
    assert machine.unlisten(listener, 0) == []
    assert machine.listen(TICKET, other, 0) == [Listen(CHAT), Answer(TICKET)]


def test_streams_are_announced_in_order_and_accepted_once() -> None:
    machine, listener = listening()

    assert machine.opened(1, "p", CHAT, 0) == [Arrived(listener)]
    assert machine.opened(2, "q", CHAT, 0) == [Arrived(listener)]

    assert listener.take() == Incoming(1, "p", listener, ACCEPT_TIMEOUT_MS)
    assert listener.take() == Incoming(2, "q", listener, ACCEPT_TIMEOUT_MS)
    assert listener.take() is None
    machine.check_announced(1)
    assert machine.removed(1, 0) == []
    with pytest.raises(StreamUnknownError):
        machine.check_announced(1)


def test_a_stream_that_nothing_listens_for_is_reset() -> None:
    machine, _ = listening()

    assert reset(machine.opened(1, "p", "/other/1", 0)) == [1]


def test_a_stream_that_is_not_accepted_in_time_is_reset() -> None:
    machine, listener = listening()
    machine.opened(1, "p", CHAT, 0)
    machine.opened(2, "p", CHAT, 5)

    assert machine.next_wake_ms() == ACCEPT_TIMEOUT_MS
    assert machine.tick(ACCEPT_TIMEOUT_MS - 1) == []
    assert reset(machine.tick(ACCEPT_TIMEOUT_MS)) == [1]
    assert list(listener.waiting) == [2]
    with pytest.raises(StreamUnknownError):
        machine.check_announced(1)
    assert machine.next_wake_ms() == ACCEPT_TIMEOUT_MS + 5


def test_an_accepted_stream_does_not_run_out() -> None:
    machine, _ = listening()
    machine.opened(1, "p", CHAT, 0)
    machine.removed(1, 0)

    assert machine.next_wake_ms() is None
    assert machine.tick(ACCEPT_TIMEOUT_MS) == []


def test_one_peer_cannot_take_all_places() -> None:
    machine, _ = listening()
    for number in range(MAX_ANNOUNCED_PER_PEER):
        assert reset(machine.opened(number, "p", CHAT, 0)) == []

    assert reset(machine.opened(1000, "p", CHAT, 0)) == [1000]
    assert reset(machine.opened(1001, "q", CHAT, 0)) == []
    machine.removed(0, 0)
    assert reset(machine.opened(1002, "p", CHAT, 0)) == []


@given(st.lists(st.tuples(st.sampled_from("oact"), st.integers(0, 5)), max_size=80))
def test_streams_are_accepted_closed_or_reset_on_time_and_leave_nothing(
    steps: list[tuple[str, int]],
) -> None:
    machine, listener = listening()
    now_ms, last = 0, 0
    opened_ms: dict[int, int] = {}

    for kind, number in [*steps, ("t", 5), ("t", 5)]:
        chosen = last - number
        if kind == "o":
            last += 1
            opened_ms[last] = now_ms
            machine.opened(last, f"p{number}", CHAT, now_ms)
        elif kind == "a" and chosen in opened_ms:
            machine.check_announced(chosen)
            machine.removed(chosen, now_ms)
            del opened_ms[chosen]
        elif kind == "c":
            machine.removed(chosen, now_ms)
            opened_ms.pop(chosen, None)
        elif kind == "t":
            end_ms = now_ms + 2_500 * number
            while (wake_ms := machine.next_wake_ms()) is not None and wake_ms <= end_ms:
                now_ms = wake_ms
                for stream_id in reset(machine.tick(now_ms)):
                    assert now_ms == opened_ms.pop(stream_id) + ACCEPT_TIMEOUT_MS
            now_ms = end_ms
        assert set(listener.waiting) == set(opened_ms)

    assert not opened_ms
    assert not machine._announced


@pytest.mark.parametrize("protocol", ["", "/", "chat", "/" + "x" * 140, "/" + "é" * 70])
def test_other_texts_are_no_protocols(protocol: str) -> None:
    with pytest.raises(InvalidProtocolError):
        check_protocol(protocol)
