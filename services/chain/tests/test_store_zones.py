"""CHS-19, CHS-20, ZON-19, ZON-22: what is kept for zones, and its fakes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from chain_kept import KeptChannels, KeptSequencers
from chain_ledger import named
from chain_store import MAX_U64, opened_all

from logos_chain.core.zone_errors import SequencersFullError
from logos_chain.core.zone_ports import (
    MAX_KEPT,
    ChannelBlock,
    ChannelIndex,
    IndexPage,
    SequencerStore,
)
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.core.places import Checkpoint, PendingPayload

ONE, TWO, THREE = named("one"), named("two"), named("three")


@dataclass
class Place:
    """Where it lies, to be opened again and again."""

    place: Path | str | None
    channels: ChannelIndex = field(default_factory=KeptChannels)
    sequencers: SequencerStore = field(default_factory=KeptSequencers)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Place"]:
        if self.place is None:
            yield self
            return
        async with opened_all(self.place) as store:
            yield Place(self.place, store.channels, store.sequencers)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "postgresql":
        return Place(str(request.getfixturevalue("postgresql_url")))
    return Place(tmp_path / "chain.sqlite" if request.param == "sqlite" else None)


def blocks(channel: bytes, *heights: int) -> list[ChannelBlock]:
    return [ChannelBlock(channel, each) for each in heights]


# -- the index -------------------------------------------------------------------------------------


async def test_blocks_of_a_channel_are_found_up_to_where_all_were_looked_at(place: Place) -> None:
    async with place.opened() as kept:
        assert await kept.channels.end() == -1
        assert await kept.channels.page(ONE, 0, 9) == IndexPage((), -1)
        await kept.channels.add(blocks(ONE, 3, 255, 256, 300) + blocks(TWO, 3), 400)
        await kept.channels.add(blocks(ONE, 401, MAX_U64), MAX_U64)
    async with place.opened() as kept:
        assert await kept.channels.end() == MAX_U64
        assert await kept.channels.page(ONE, 0, 3) == IndexPage((3, 255, 256), 256)
        assert await kept.channels.page(ONE, 257, 3) == IndexPage((300, 401, MAX_U64), MAX_U64)
        assert await kept.channels.page(TWO, 0, 9) == IndexPage((3,), MAX_U64)
        assert await kept.channels.page(TWO, 4, 9) == IndexPage((), MAX_U64)
        assert await kept.channels.page(THREE, 0, 9) == IndexPage((), MAX_U64)


async def test_an_index_goes_on_where_it_ends_and_nowhere_else(place: Place) -> None:
    async with place.opened() as kept:
        await kept.channels.add(blocks(ONE, 1, 1), 5)
        for found, end in (([], 5), ([], 4), (blocks(ONE, 5), 9), (blocks(ONE, 10), 9)):
            with pytest.raises(ValueError, match="index"):
                await kept.channels.add(found, end)
        await kept.channels.add([], 6)
        assert await kept.channels.page(ONE, 0, 9) == IndexPage((1,), 6)


async def test_many_blocks_are_added_at_once(place: Place) -> None:
    many = [each for at in range(500) for each in blocks(named(f"{at}"), 0, 1)]
    async with place.opened() as kept:
        await kept.channels.add(many, 1)
        assert await kept.channels.page(named("499"), 0, 9) == IndexPage((0, 1), 1)


# -- sequencers ------------------------------------------------------------------------------------


def checkpoint(key: bytes, *numbers: int, height: int = 1) -> Checkpoint:
    pending = tuple(PendingPayload(each, b"%d" % each * 100) for each in numbers)
    next_number = numbers[-1] + 1 if numbers else 0
    return Checkpoint(ONE, key, Point(THREE, height, MAX_U64), THREE, next_number, pending)


async def test_a_sequencer_has_all_payloads_that_are_not_final(place: Place) -> None:
    async with place.opened() as kept:
        assert await kept.sequencers.load(ONE, TWO) is None
        await kept.sequencers.settle(checkpoint(TWO))  # of one that is not kept
        assert await kept.sequencers.load(ONE, TWO) is None
        for last in (254, 255, 256, 257):
            await kept.sequencers.publish(checkpoint(TWO, *range(254, last + 1)))
        await kept.sequencers.publish(checkpoint(THREE, MAX_U64 - 1))
    async with place.opened() as kept:
        assert await kept.sequencers.load(ONE, TWO) == checkpoint(TWO, 254, 255, 256, 257)
        await kept.sequencers.settle(checkpoint(TWO, 255, 257, height=2))
    async with place.opened() as kept:
        assert await kept.sequencers.load(ONE, TWO) == checkpoint(TWO, 255, 257, height=2)
        assert await kept.sequencers.load(ONE, THREE) == checkpoint(THREE, MAX_U64 - 1)
        assert await kept.sequencers.load(TWO, ONE) is None


async def test_one_with_nothing_to_write_gives_way_to_another(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("chain_kept", "logos_chain.store.sequencers"):
        monkeypatch.setattr(f"{module}.MAX_KEPT", 3)
    assert MAX_KEPT > 3
    keys = [named(f"key {each}") for each in range(5)]
    async with place.opened() as kept:
        for each in keys[:3]:
            await kept.sequencers.publish(checkpoint(each, 0))
        with pytest.raises(SequencersFullError):
            await kept.sequencers.publish(checkpoint(keys[3], 0))
        for each in keys[1:3]:
            await kept.sequencers.settle(checkpoint(each))
        await kept.sequencers.publish(checkpoint(keys[3], 0))
        await kept.sequencers.publish(checkpoint(keys[3], 0, 1))
        found = [await kept.sequencers.load(ONE, each) for each in keys]
    assert [each is not None for each in found] == [True, False, True, True, False]
    assert found[3] == checkpoint(keys[3], 0, 1)


async def test_one_that_is_forgotten_leaves_nothing_and_the_others_stay(place: Place) -> None:
    """ZON-26."""
    async with place.opened() as kept:
        await kept.sequencers.publish(checkpoint(TWO, 0))
        await kept.sequencers.publish(checkpoint(THREE, 0))
        for _ in range(2):
            await kept.sequencers.forget(ONE, TWO)
    async with place.opened() as kept:
        assert await kept.sequencers.load(ONE, TWO) is None
        assert await kept.sequencers.load(ONE, THREE) == checkpoint(THREE, 0)
        await kept.sequencers.publish(checkpoint(TWO, 0))  # no payload of before is in the way
        assert await kept.sequencers.load(ONE, TWO) == checkpoint(TWO, 0)
