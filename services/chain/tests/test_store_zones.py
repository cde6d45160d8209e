"""CHS-19, ZON-19: what is kept for zones, and its fakes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from chain_kept import KeptChannels
from chain_ledger import named
from chain_store import MAX_U64, opened_all

from logos_chain.core.zone_ports import ChannelBlock, ChannelIndex, IndexPage

ONE, TWO, THREE = named("one"), named("two"), named("three")


@dataclass
class Place:
    """Where it lies, to be opened again and again."""

    place: Path | str | None
    channels: ChannelIndex = field(default_factory=KeptChannels)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Place"]:
        if self.place is None:
            yield self
            return
        async with opened_all(self.place) as store:
            yield Place(self.place, store.channels)


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
