"""DST-15: what a node relays is kept in groups."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from logos_delivery.core.archive.types import Entry
from logos_delivery.core.message import Message
from logos_delivery.core.relay.relay_guard import Pass
from logos_delivery.operations import groups
from logos_delivery.operations.history import HistoryOperations
from logos_delivery.store.memory import MemoryArchive

SHARD = "/waku/2/rs/3/0"
NONE: Any = None


class CountingArchive(MemoryArchive):
    """Notes how many messages each put has."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[int] = []

    async def put(self, entries: Sequence[Entry]) -> int:
        self.groups.append(len(entries))
        return await super().put(entries)


class Rest:
    """A sleep that ends when a test says so."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.begun.release()
        await self.ended.acquire()


def relayed(number: int) -> Pass:
    entry = Entry.of(SHARD, Message(b"%d" % number, "/a/1/b/c", timestamp_ns=time.time_ns()))
    return Pass(SHARD, entry.kept, entry.hash)


async def test_the_first_is_written_at_once_and_what_follows_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive, rest = CountingArchive(), Rest()
    monkeypatch.setattr(groups.asyncio, "sleep", rest)
    history = HistoryOperations(archive, NONE, NONE, time.time_ns)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(history.run())
        history.take(relayed(0))
        await rest.begun.acquire()
        for number in range(1, 10):
            history.take(relayed(number))
        rest.ended.release()
        await rest.begun.acquire()
        task.cancel()

    assert archive.groups == [1, 9]
    assert rest.seconds == [0.1, 0.1]
    assert await archive.count() == 10
