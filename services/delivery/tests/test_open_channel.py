"""CHN-27: an open channel while its records cannot be saved."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from logos_base.errors import DiskFullError
from logos_delivery.core.channels.channel_types import Event, HistoryLost, Received, Sent
from logos_delivery.core.channels.errors import ChannelUnknownError
from logos_delivery.core.channels.keeping import Membership
from logos_delivery.core.message import Message
from logos_delivery.core.sending.errors import SendsFullError
from logos_delivery.core.sending.request import Outgoing, Request, RequestState
from logos_delivery.operations import open_channel
from logos_delivery.operations.open_channel import OpenChannel, Surroundings

SHARD = "/waku/2/rs/3/0"
OWN = Membership("c", "/app/1/chat/proto", "ann")


class Disk:
    """The store of one channel; full at will."""

    def __init__(self) -> None:
        self.is_full = False
        self.tries = 0
        self.records: dict[str, bytes | None] = {}
        self.told: list[Event] = []

    async def commit(
        self,
        _channel_id: str,
        changes: dict[str, bytes | None],
        events: Sequence[Event],
        _at_ms: int,
    ) -> None:
        self.tries += 1
        if self.is_full:
            raise DiskFullError("no room")
        self.records |= changes
        self.told += events


class Sends:
    """Sending that takes what there is room for, and has it propagated at once."""

    def __init__(self) -> None:
        self.full = 0
        self.taken: list[Outgoing] = []

    async def send(self, outgoing: Outgoing) -> Request:
        if self.full:
            self.full -= 1
            raise SendsFullError("full", retry_after_ms=1)
        self.taken.append(outgoing)
        return outgoing.request(str(len(self.taken)), 1, 1)

    async def request(self, request_id: str) -> Request:
        made = self.taken[int(request_id) - 1].request(request_id, 1, 1)
        return Request(**{name: getattr(made, name) for name in Request.__slots__} | DONE)


DONE = {"state": RequestState.PROPAGATED}


class Opened:
    """A channel that runs, and what is around it."""

    def __init__(self) -> None:
        self.disk, self.sends = Disk(), Sends()
        parts: Any = (self.disk, self.sends, None)
        around = Surroundings(*parts, lambda: 1_760_000_000_000, lambda: None, None)
        self.channel = OpenChannel(OWN, SHARD, {}, around)

    async def until(self, holds: Any) -> None:
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_channel, "RETRY_S", 0.001)


async def test_nothing_is_sent_or_answered_before_it_is_saved() -> None:
    one = Opened()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one.channel.run())
        await one.until(lambda: one.disk.records)
        one.disk.is_full, one.disk.tries = True, 0
        sent = tasks.create_task(one.channel.send(b"hello", is_ephemeral=False))
        await one.until(lambda: one.disk.tries > 3)
        assert not sent.done()
        assert one.sends.taken == []
        with pytest.raises(DiskFullError):
            await one.channel.send(b"second", is_ephemeral=False)
        one.disk.is_full = False
        request_id = await sent
        await one.until(lambda: one.disk.told)
        assert one.disk.told == [Sent(request_id)]
        assert len(one.sends.taken) == 1
        one.channel.stop()


async def test_it_ends_while_its_disk_is_full() -> None:
    one = Opened()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(one.channel.run())
        one.disk.is_full = True
        await one.until(lambda: one.disk.tries > 1)
        one.channel.stop()
        await running


async def test_what_has_no_room_is_sent_later() -> None:
    one = Opened()
    one.sends.full = 3
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one.channel.run())
        request_id = await one.channel.send(b"hello", is_ephemeral=False)
        await one.until(lambda: one.disk.told)
        assert one.disk.told == [Sent(request_id)]
        one.channel.stop()


async def test_a_channel_that_is_closed_takes_nothing_more() -> None:
    one = Opened()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one.channel.run())
        await one.channel.close()
    with pytest.raises(ChannelUnknownError):
        await one.channel.send(b"hello", is_ephemeral=False)
    with pytest.raises(ChannelUnknownError):
        await one.channel.close()


async def test_a_payload_that_readers_cannot_take_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CHN-30."""
    one = Opened()
    monkeypatch.setattr(open_channel, "MAX_PAYLOAD_BYTES", 5)
    bob = OpenChannel(Membership("c", OWN.content_topic, "bob"), SHARD, {}, one.channel._around)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one.channel.run())
        await one.channel.send(b"hello", is_ephemeral=True)
        await one.channel.send(b"he", is_ephemeral=True)
        monkeypatch.setattr(open_channel, "MAX_PAYLOAD_BYTES", 4)
        await one.until(lambda: len(one.sends.taken) == 2)
        one.channel.stop()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bob.run())
        for outgoing in one.sends.taken:
            message: Message = outgoing.message
            await bob.take(SHARD, message, bytes(32))
        bob.stop()
    assert [event for event in one.disk.told if isinstance(event, Received | HistoryLost)] == [
        Received("ann", b"he")
    ]
    assert bob.discarded == {"payload_too_large": 1}
