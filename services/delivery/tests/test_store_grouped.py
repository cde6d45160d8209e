"""DST-15: puts that are written together."""

import asyncio
from collections.abc import Callable

import pytest

from logos_base.errors import StoreFailedError
from logos_delivery.core.archive.errors import ArchiveBusyError
from logos_delivery.core.archive.types import Entry
from logos_delivery.core.message import Message
from logos_delivery.store import grouped
from logos_delivery.store.grouped import MAX_GROUP, Grouped


def entry(number: int) -> Entry:
    return Entry.of("/waku/2/rs/3/0", Message(b"x", "/a/1/b/c", timestamp_ns=number))


class Disk:
    """Transactions that end when they are let."""

    def __init__(self, check: Callable[[Entry], None] = lambda _: None) -> None:
        self.kept: set[bytes] = set()
        self.groups: list[int] = []
        self.gate = asyncio.Event()
        self.began = asyncio.Event()
        self._check = check

    async def commit(self, entries: list[Entry]) -> set[bytes]:
        self.groups.append(len(entries))
        self.began.set()
        await self.gate.wait()
        for one in entries:
            self._check(one)
        new = {one.hash for one in entries} - self.kept
        self.kept |= new
        return new


async def started(disk: Disk, puts: list[list[Entry]]) -> tuple[Grouped, list[asyncio.Task[int]]]:
    """Begins puts, of which the first is being written."""
    group = Grouped(disk.commit)
    tasks = [asyncio.get_running_loop().create_task(group.put(one)) for one in puts]
    await disk.began.wait()
    return group, tasks


async def test_those_that_come_while_one_is_written_are_written_together() -> None:
    disk = Disk()
    _, tasks = await started(disk, [[entry(number)] for number in range(20)])

    disk.gate.set()

    assert await asyncio.gather(*tasks) == [1] * 20
    assert disk.groups == [1, 19]


async def test_each_is_told_how_many_of_its_own_are_new() -> None:
    disk = Disk()
    puts = [[entry(1)], [entry(1), entry(2), entry(2)], [entry(2), entry(3)], []]
    _, tasks = await started(disk, puts)

    disk.gate.set()

    assert await asyncio.gather(*tasks) == [1, 1, 1, 0]


async def test_a_transaction_has_a_thousand_messages_unless_one_put_has_more() -> None:
    disk = Disk()
    many = [entry(number) for number in range(MAX_GROUP + 1)]
    _, tasks = await started(disk, [[entry(1)], many[:600], many[:600], many, [entry(1)]])

    disk.gate.set()
    await asyncio.gather(*tasks)

    assert disk.groups == [1, 600, 600, 1001, 1]


async def test_an_error_is_that_of_all_in_the_transaction_and_of_no_other() -> None:
    def check(_: Entry) -> None:
        if len(disk.groups) == 1:
            raise StoreFailedError("disk")

    disk = Disk(check)
    _, tasks = await started(disk, [[entry(1)], [entry(2)]])

    disk.gate.set()
    first, second = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(first, StoreFailedError)
    assert second == 1


async def test_a_message_that_no_database_takes_hurts_only_its_own_put() -> None:
    def check(one: Entry) -> None:
        if one == entry(3):
            raise ValueError("not a value of this column")

    disk = Disk(check)
    _, tasks = await started(disk, [[entry(number)] for number in range(6)])

    disk.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [one for one in outcomes if one != 1] == [outcomes[3]]
    assert isinstance(outcomes[3], ValueError)
    assert disk.kept == {entry(number).hash for number in range(6)} - {entry(3).hash}


async def test_one_that_gives_up_does_not_take_others_with_it() -> None:
    disk = Disk()
    group, tasks = await started(disk, [[entry(number)] for number in range(4)])
    disk.began.clear()
    tasks[0].cancel()
    await disk.began.wait()
    tasks[1].cancel()
    tasks[2].cancel()

    disk.gate.set()

    assert await tasks[3] == 1
    assert await group.put([entry(9)]) == 1
    assert {entry(3).hash, entry(9).hash} <= disk.kept


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    size = entry(1).size_bytes
    monkeypatch.setattr(grouped, "MAX_WAITING_BYTES", 2 * size)
    disk = Disk()
    group, tasks = await started(disk, [[entry(1)]])
    loop = asyncio.get_running_loop()
    waiting = [loop.create_task(group.put([entry(number)])) for number in (2, 3)]
    await asyncio.sleep(0)

    with pytest.raises(ArchiveBusyError):
        await group.put([entry(4)])

    disk.gate.set()
    assert await asyncio.gather(*tasks, *waiting) == [1, 1, 1]
    assert await group.put([entry(4)]) == 1
