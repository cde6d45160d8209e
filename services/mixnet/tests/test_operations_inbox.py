import asyncio
from collections import deque
from typing import Any

import pytest
from mixnet_nodes import until

from logos_mixnet.operations.inbox import Inbox, Inboxes
from logos_module.errors import ModuleDrainingError


class Waiting:
    def __init__(self, *items: int) -> None:
        self.items = deque(items)

    def take(self) -> int | None:
        return self.items.popleft() if self.items else None


async def test_a_reader_waits_until_it_is_woken_and_something_is_there() -> None:
    waiting = Waiting()
    inbox = Inbox(waiting.take)
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(anext(inbox))
        inbox.wake()
        await asyncio.sleep(0)
        assert not reading.done()

        waiting.items.append(7)
        inbox.wake()

        assert await reading == 7


async def test_what_waits_is_read_before_the_end() -> None:
    inbox = Inbox(Waiting(1, 2).take)

    inbox.end()

    assert [item async for item in inbox] == [1, 2]
    assert [item async for item in inbox] == []


async def test_an_error_ends_a_reader_that_waits() -> None:
    inbox = Inbox(Waiting().take)
    async with asyncio.TaskGroup() as tasks:
        reading: asyncio.Task[Any] = tasks.create_task(caught(inbox))
        await asyncio.sleep(0)

        inbox.end(LookupError("gone"))

    assert isinstance(reading.result(), LookupError)


async def caught(inbox: Inbox[int]) -> Exception | None:
    try:
        await anext(inbox)
    except LookupError as error:
        return error
    return None


async def test_readers_are_woken_by_name_and_unknown_names_are_none() -> None:
    inboxes: Inboxes[str, int] = Inboxes()
    waiting = Waiting()
    with inboxes.open("one", waiting.take) as inbox:
        assert list(inboxes) == ["one"]
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(anext(inbox))
            await until(lambda: inbox._news)
            waiting.items.append(1)
            inboxes.wake("two")
            inboxes.wake("one")
            assert await reading == 1

    assert not list(inboxes)
    inboxes.wake("one")


async def test_draining_ends_readers_and_those_to_come() -> None:
    inboxes: Inboxes[str, int] = Inboxes()
    with inboxes.open("one", Waiting(5).take) as one:
        inboxes.drain()
        assert await anext(one) == 5
        with pytest.raises(ModuleDrainingError):
            await anext(one)

    with inboxes.open("two", Waiting().take) as two, pytest.raises(ModuleDrainingError):
        await anext(two)
