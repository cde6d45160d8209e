"""CHN-1: what becomes of the requests of a channel that is closed."""

from test_core_channel import T0, TICKET, Party, exchange

from logos_base.machine import Answer, Ticket
from logos_delivery.core.channels.channel_types import (
    DeliveryFailed,
    Received,
    SendFailed,
    Sent,
)

CLOSE = Ticket(9)
CLOSED = "the channel was closed"


def test_requests_that_have_not_ended_fail_before_the_answer() -> None:
    ann = Party("ann")
    ann.send("sent", bytes(64))
    ann.leave()
    ann.send("unsent", bytes(300))
    ann.leave(report=False)
    assert ann.channel.open_requests == 2
    ann.obey(ann.channel.close(CLOSE, T0))
    assert ann.events == [
        Sent("sent"),
        DeliveryFailed("sent", CLOSED),
        SendFailed("unsent", CLOSED),
    ]
    assert ann.channel.open_requests == 0
    assert ann.others == [Answer(TICKET, "sent"), Answer(TICKET, "unsent"), Answer(CLOSE)]
    assert ann.out == []


def test_a_closed_channel_whose_records_stayed_sends_nothing_again() -> None:
    ann, bob = Party("ann"), Party("bob")
    ann.send("one", bytes(64))
    ann.obey(ann.channel.close(CLOSE, T0))
    ann.start()
    bob.send("two", b"hello")
    exchange(ann, bob, 10_000)
    assert [event for event in bob.events if isinstance(event, Received)] == []
    assert [event.payload for event in ann.events if isinstance(event, Received)] == [b"hello"]
