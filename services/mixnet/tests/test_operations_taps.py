"""Taps of running mixes: what they write, and that a mix goes on whatever becomes of the file."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from mixnet_fake_host import Switchboard
from mixnet_mixes import RunningMix, meet, running_mix

from logos_anonymity.captures import ARRIVED, SENT, Sighting, joined, read_sightings, sizes
from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.sphinx.geometry import PACKET_BYTES
from logos_mixnet.operations import taps
from logos_mixnet.operations.mix_calls import Parcel
from logos_mixnet.rpc.mix_convert import status_to_pb

CODEC = "/test/1.0.0"


class Lines:
    """`TapStore` in memory."""

    def __init__(self) -> None:
        self.written = b""
        self.failure: StoreError | None = None
        self.may_write = threading.Event()
        self.may_write.set()
        self.begun = 0

    def size_bytes(self) -> int:
        return len(self.written)

    def append(self, lines: bytes) -> None:
        self.begun += 1
        self.may_write.wait()
        if self.failure is not None:
            raise self.failure
        self.written += lines

    def seen(self, kind: str) -> list[Sighting]:
        found = read_sightings(self.written.decode().splitlines())
        assert [one.time_ns for one in found] == sorted(one.time_ns for one in found)
        return [one for one in found if one.seen == kind]


@asynccontextmanager
async def tapped(stores: list[Lines | None]) -> AsyncIterator[list[RunningMix]]:
    """Mixes that know one another, each with the store of its tap, if it has one."""
    board = Switchboard()
    async with AsyncExitStack() as stack:
        found = [
            await stack.enter_async_context(running_mix(board, number, tap=store))
            for number, store in enumerate(stores, 1)
        ]
        meet(found)
        yield found


async def arrives(found: list[RunningMix], content: bytes) -> None:
    """Sends a message from the first to the last; returns when it is there."""
    async with found[-1].calls.listen(CODEC) as messages, asyncio.timeout(60):
        await found[0].calls.send(Parcel(found[-1].peer_id, CODEC, content, 5))
        assert (await anext(messages)).content == content


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - several nodes' machines
            await asyncio.sleep(0.01)


async def test_what_one_mix_wrote_as_sent_another_wrote_as_arrived() -> None:
    stores = [Lines() for _ in range(5)]
    async with tapped([*stores]) as found:
        for number in range(3):
            await arrives(found, bytes([number]))

    sent = [one for store in stores for one in store.seen(SENT)]
    arrived = [one for store in stores for one in store.seen(ARRIVED)]
    crossings = joined([*sent, *arrived])
    assert (len(sent), len(arrived), len(crossings)) == (9, 9, 9)
    assert sizes([*sent, *arrived]) == {PACKET_BYTES + 2}, "with its length before it"
    own = [mix.peer_id for mix in found]
    for peer_id, store in zip(own, stores, strict=True):
        assert {one.sender for one in store.seen(SENT)} <= {peer_id}
        assert {one.receiver for one in store.seen(ARRIVED)} <= {peer_id}
    assert [one.sender for one in crossings].count(own[0]) == 3
    assert [one.receiver for one in crossings].count(own[-1]) == 3


async def test_a_mix_without_a_tap_says_so_and_one_with_it_warns() -> None:
    async with tapped([Lines(), None]) as found:
        assert [status_to_pb(mix.mixing, None).tapped for mix in found] == [True, False]


async def test_lines_are_written_while_the_mix_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taps, "WRITE_S", 0.01)
    store = Lines()
    async with tapped([store, None, None, None]) as found:
        await arrives(found, b"hello")
        await until(lambda: store.seen(SENT) != [])


async def test_a_full_disk_does_not_end_the_mix_and_is_told_once_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(taps, "WRITE_S", 0.01)
    store = Lines()
    store.failure = StoreError("the disk is full")
    async with tapped([store, None, None, None]) as found:
        for number in range(2):
            await arrives(found, bytes([number]))
            await until(lambda number=number: store.begun > number)  # type: ignore[misc]
        mixing = found[0].mixing
        await until(lambda: mixing.tap is not None and mixing.tap.skipped == 2)
        said = status_to_pb(mixing, None)
        assert (said.tap_skipped, said.tap_trouble) == (2, "the disk is full")

        store.failure = None
        await arrives(found, b"again")
        await until(lambda: status_to_pb(mixing, None).tap_trouble == "")

    assert len(store.seen(SENT)) == 1
    warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert [each.message for each in warnings] == ["the tap's file is not written"]


@pytest.mark.parametrize("failure", [None, StoreError("the disk is full")])
async def test_a_slow_disk_holds_up_nothing_and_no_line_is_forgotten_at_the_end(
    monkeypatch: pytest.MonkeyPatch, failure: StoreError | None
) -> None:
    monkeypatch.setattr(taps, "WRITE_S", 0.01)
    store = Lines()
    store.failure = failure
    store.may_write.clear()
    async with tapped([store, None, None, None]) as found:
        await arrives(found, b"one")
        await until(lambda: store.begun == 1)
        await arrives(found, b"two")
        asyncio.get_running_loop().call_later(0.1, store.may_write.set)

    tap = found[0].mixing.tap
    assert tap is not None
    assert (len(store.seen(SENT)), tap.skipped) == ((2, 0) if failure is None else (0, 2))
