"""KER-35, KER-36: a kernel that is killed loses no event that it has acknowledged."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kernel_process import Node, made_node

pytestmark = pytest.mark.integration

KILLS = 4


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    with made_node() as made:
        made.connect()
        yield made
        await made.channel.close()


def _published(path: Path) -> int:
    return int(path.read_text().split()[1]) if path.exists() else 0


async def _until_published(path: Path, count: int) -> int:
    """Waits until so many numbers are acknowledged; returns how many are."""
    async with asyncio.timeout(60):
        while True:
            if (published := _published(path)) >= count:
                return published
            await asyncio.sleep(0.01)


async def test_nothing_acknowledged_is_lost_and_nothing_is_received_twice(node: Node) -> None:
    """kernel.md, tests 7 and 24."""
    node.add("base", publishes=1)
    node.add("top", subscribes="base/number", manifest='subscribes = ["base/*"]\n')
    node.write_profile(lease_ttl_ms=60_000)
    node.start()
    await node.until_ready()
    published = 0
    for _ in range(KILLS):
        published = await _until_published(node.root / "modules/base/published", published + 20)
        assert node.kernel is not None
        node.kernel.kill()
        node.kernel.wait()
        node.kernel = None
        node.start()
        await node.until_ready()
    published = await _until_published(node.root / "modules/base/published", published + 20)

    received = node.root / "modules/top/received"
    async with asyncio.timeout(60):
        while received.read_text().count("\n") < published:  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.05)
    found = [line.split() for line in received.read_text().splitlines()]
    assert [int(sequence) for sequence, _ in found] == list(range(1, len(found) + 1))
    assert [number for _, number in found] == [f"1.{at}" for at in range(len(found))]
