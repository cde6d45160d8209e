"""CHS-11, CHS-15, CHS-19, CHS-20: what is kept beside the chain is whole after a kill."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from chain_kept_writer import CHANNEL, KEY, block, state, transactions
from chain_killing import KILLS, writers
from chain_store import opened_all

from logos_chain.store.opening import OpenStore


@dataclass
class Told:
    """The last round of each kind that writers were told is durable."""

    turns: dict[str, int] = field(default_factory=dict)

    def hear(self, line: str) -> None:
        what, _, turn = line.partition(" ")
        self.turns[what] = int(turn)

    def of(self, what: str) -> int:
        return self.turns.get(what, 0)


async def looked_at(place: Path, told: Told) -> int:
    """Returns the last slot that is noted. No kind is behind what was told."""
    async with opened_all(place) as store:
        slots = list(await store.proposals.slots())
        last = max(slots, default=0)
        assert slots == list(range(max(1, last - 2), last + 1))
        assert last in {told.of("noted"), told.of("noted") + 1}

        saved = list(await store.transactions.load())
        turn = saved[0].since_ms if saved else 0
        assert saved == (transactions(turn) if saved else [])
        assert told.of("saved") <= turn <= last

        entries = await store.wallets.entries("main", None, 10_000)
        height = entries[0].height if entries else 0
        assert told.of("kept") <= height <= last
        for each in sorted({entry.height for entry in entries})[-2:]:
            assert await store.wallets.load("main", block(each)) == state(each)
        assert await store.wallets.load("main", block(height + 1)) is None
        assert all(each.place == at % 2 for at, each in enumerate(reversed(entries)))
        await look_at_zones(store, told, last)
        return last


async def look_at_zones(store: OpenStore, told: Told, last: int) -> None:
    """No index is past what it has found, and no payload is without its sequencer."""
    end = await store.channels.end()
    assert told.of("indexed") <= max(end, 0) <= last
    page = await store.channels.page(CHANNEL, 0, 10_000)
    assert page.end == end
    assert (page.heights or (-1,))[-1] == end
    kept = await store.sequencers.load(CHANNEL, KEY)
    if kept is None:
        assert not told.of("published")
        return
    numbers = [each.number for each in kept.pending]
    assert told.of("published") <= numbers[-1] <= last
    assert kept.next_number == numbers[-1] + 1
    assert len(numbers) in {1, 2}
    assert [each.payload for each in kept.pending] == [state(each) for each in numbers]


@pytest.mark.stress
def test_what_is_kept_outlives_kills_at_any_point(tmp_path: Path) -> None:
    place, told, seen = tmp_path / "chain.sqlite", Told(), 0
    with writers("chain_kept_writer.py", place) as those:
        for _ in range(KILLS):
            those.kill_one(told.hear)
            last = asyncio.run(looked_at(place, told))
            assert last >= seen
            seen = last

    assert seen > 1
