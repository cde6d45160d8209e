"""Killed in the middle of puts: what was acknowledged is there, and nothing else is."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logos_storage.store.opening import open_store

pytestmark = pytest.mark.stress

POINTS = 20

# Forks a child per line, so that each life costs a fork and not a second of imports.
SCRIPT = """
import asyncio, hashlib, os, sys
from pathlib import Path
from logos_storage.core.ports import Description
from logos_storage.store.opening import open_store

async def pieces(content):
    for start in range(0, len(content), 500_000):
        yield content[start : start + 500_000]

async def puts(folder, first):
    async with open_store(folder, quota_bytes=1 << 30, monotonic_ms=lambda: 0,
                          wall_clock_us=lambda: 0, headroom_bytes=0) as store:
        for number in range(first, first + 1000):
            content = hashlib.shake_128(b"%d" % number).digest(2_000_000 + number)
            record = await store.put(Description(65536, str(number)), pieces(content))
            # One write: `print` makes several where Python does not buffer, and a kill may fall
            # between them.
            os.write(1, f"stored {number} {record.cid}\\n".encode())

for line in sys.stdin:
    folder, first = line.split()
    child = os.fork()
    if child == 0:
        print("child", os.getpid(), flush=True)
        asyncio.run(puts(Path(folder), int(first)))
        os._exit(0)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@pytest.fixture
def lives() -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    assert process.stdin is not None
    process.stdin.close()
    process.wait(60)
    assert process.stdout is not None
    process.stdout.close()


def live_and_die(
    lives: "subprocess.Popen[str]", folder: Path, first: int, puts: int, after_s: float
) -> list[str]:
    """Lets a child put, and kills it some time after so many; returns what it had stored."""
    assert lives.stdin is not None
    assert lives.stdout is not None
    print(folder, first, file=lives.stdin, flush=True)
    child = int(lives.stdout.readline().split()[1])
    stored = [lives.stdout.readline().split()[2] for _ in range(puts)]
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    while (line := lives.stdout.readline().split())[0] != "ended":
        stored.append(line[2])
    return stored


async def check(folder: Path, stored: set[str]) -> None:
    async with open_store(
        folder, quota_bytes=1 << 30, monotonic_ms=lambda: 0, wall_clock_us=lambda: 0
    ) as store:
        records = await store.page(below=None, limit=1000)
        assert stored <= {str(record.cid) for record in records}
        for record in records:
            number = int(record.manifest.filename)
            expected = hashlib.shake_128(b"%d" % number).digest(2_000_000 + number)
            async with store.open(record) as tree:
                content = b"".join(await tree.read(0, tree.shape.block_count))
            assert content[: record.manifest.size_bytes] == expected
        space = await store.space()
        assert space.used_bytes == bytes_on_disk(folder)
        assert names(folder / "uploads") == set()
        assert names(folder / "trees") == {record.manifest.shape.name for record in records}


def bytes_on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("trees/*/*"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_survives_being_killed_at_many_points(
    lives: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    stored: set[str] = set()
    for point in range(POINTS):
        salt = hashlib.sha256(f"point {point}".encode()).digest()
        after_s = int.from_bytes(salt[:2], "big") / 65536 * 0.1
        stored |= set(live_and_die(lives, tmp_path, point * 1000, point % 4, after_s))
        if point % 5 == 4:
            await check(tmp_path, stored)
