"""FOL-17: each listener has all that happens, or is told that it has not."""

import pytest

from logos_chain.core.consensus.types import BlockId
from logos_chain.operations.chain_events import (
    MAX_LISTENERS,
    MAX_WAITING,
    BlocksFinal,
    ChainEvents,
    ChainListenersFullError,
    EventsLost,
)


def event(number: int) -> BlocksFinal:
    return BlocksFinal((BlockId(number.to_bytes(32, "little")),))


async def test_a_listener_hears_what_happens_while_it_listens_in_order() -> None:
    events = ChainEvents()
    events.tell(event(0))
    with events.listen() as one, events.listen() as other:
        events.tell(event(1))
        events.tell(event(2))

        assert [await one.next(), await one.next()] == [event(1), event(2)]
        assert [await other.next(), await other.next()] == [event(1), event(2)]
    events.tell(event(3))
    assert len(one) == 0


async def test_a_slow_listener_loses_events_and_hears_of_it() -> None:
    events = ChainEvents()
    with events.listen() as slow:
        for each in range(MAX_WAITING + 1):
            events.tell(event(each))

        assert len(slow) == 2
        assert [await slow.next(), await slow.next()] == [EventsLost(), event(MAX_WAITING)]


def test_listeners_are_few_and_make_room_when_they_go() -> None:
    events = ChainEvents()
    contexts = [events.listen() for _ in range(MAX_LISTENERS)]
    for each in contexts:
        each.__enter__()

    with pytest.raises(ChainListenersFullError), events.listen():
        pass
    contexts[0].__exit__(None, None, None)
    with events.listen():
        pass
