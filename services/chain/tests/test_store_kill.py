"""CHS-11: a process that is killed leaves a store that is whole, with all that it was told of."""

import asyncio
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO

import pytest
from chain_store import opened

from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import KeptBlock
from logos_chain.store.sql import SqlChainStore

KILLS = 20
LONGEST_MS = 400
"""From the fork of a writer; it opens the store within some tens of them."""
WRITER = Path(__file__).with_name("chain_store_writer.py")


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


def kill_one(commands: IO[str], lines: IO[str], told: Told) -> None:
    commands.write("go\n")
    commands.flush()
    writer, line = 0, ""
    while not (writer and line):
        heard = lines.readline().strip()
        if heard.startswith("writer"):
            writer = int(heard.split()[1])
        elif heard == "ready":
            line = heard
        else:
            told.hear(heard)
    time.sleep(secrets.randbelow(LONGEST_MS) / 1000)
    os.kill(writer, signal.SIGKILL)
    while (heard := lines.readline().strip()) != "ended":
        assert heard
        told.hear(heard)


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
    path = os.pathsep.join([str(WRITER.parent), *sys.path])
    process = subprocess.Popen(
        [sys.executable, WRITER, place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(KILLS):
            kill_one(process.stdin, process.stdout, told)
            finals = asyncio.run(looked_at(place, told))
            assert finals >= seen
            seen = finals
        process.stdin.close()

    assert seen > 1
