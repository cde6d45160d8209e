"""CHS-11: a process that is killed leaves a store that is whole, with all that it was told of."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from chain_killing import KILLS, writers
from chain_store import opened

from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import KeptBlock
from logos_chain.store.sql import SqlChainStore


@dataclass
class Told:
    """What writers were told is durable."""

    height: int = -1
    added: set[str] = field(default_factory=set)
    """Since the last settlement that was told."""

    def hear(self, line: str) -> None:
        what, _, value = line.partition(" ")
        if what == "final":
            self.height = int(value)
            self.added = set()
        elif what == "added":
            self.added.add(value)


async def looked_at(place: Path, told: Told) -> int:
    """Returns how many blocks are final."""
    async with opened(place) as store:
        found = await store.load()
        if found is None:
            assert told.height == -1
            assert await store.final(0, 1) == []
            return 0
        finals = [await store.block(each) for each in await store.final(0, 100_000)]
        chain = [each for each in finals if each is not None]
        assert len(chain) == len(finals) == found.root.height + 1
        assert found.root.id == chain[-1].id
        assert all(newer.parent == older.id for older, newer in pairwise(chain))
        assert all(store.is_final(each.id) for each in chain)
        await are_durable(store, told, found.root.height)
        above = list(await store.unsettled(0, 1000))
        assert {each.parent for each in above} <= {each.id for each in (*chain, *above)}
        are_listed(place, [*chain, *above])
        return len(chain)


async def are_durable(store: SqlChainStore, told: Told, height: int) -> None:
    assert height >= told.height
    if height == told.height:  # else they were settled, or cut
        assert all([await store.block(BlockId(bytes.fromhex(each))) for each in told.added])


def are_listed(place: Path, blocks: list[KeptBlock]) -> None:
    """Transactions are those of kept blocks, no more and no fewer."""
    with closing(sqlite3.connect(place)) as connection:
        query = "SELECT t.hash, b.id FROM block_transaction t LEFT JOIN block b ON b.number=t.block"
        found = connection.execute(query).fetchall()
    wanted = {(hash_, each.id) for each in blocks for hash_ in each.transactions}
    assert set(found) == wanted
    assert len(found) == len(wanted)


@pytest.mark.stress
def test_a_store_outlives_kills_at_any_point(tmp_path: Path) -> None:
    place, told, seen = tmp_path / "chain.sqlite", Told(), 0
    with writers("chain_store_writer.py", place) as those:
        for _ in range(KILLS):
            those.kill_one(told.hear)
            finals = asyncio.run(looked_at(place, told))
            assert finals >= seen
            seen = finals

    assert seen > 1
