"""KER-35, KER-36: a kernel that is killed loses no event that it has acknowledged."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from gates import borne
from kernel_process import Node, made_node

from logos.kernel.v1 import events_pb2 as pb
from logos.kernel.v1 import events_pb2_grpc
from logos_client.channels import open_channel

pytestmark = pytest.mark.integration

KILLS = 4
MIB = 1024 * 1024


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
    """kernel.md 14.7 and 14.24."""
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


async def _publish(stub: Any, mib: int) -> None:
    events = [pb.NewEvent(payload=bytes(64 * 1024))] * 16
    for _ in range(mib):
        await stub.Publish(pb.PublishRequest(topic="operator/x", events=events))


async def test_a_slow_subscriber_does_not_grow_the_kernel(node: Node) -> None:
    """kernel.md 14.25: it does not read while 64 MiB pass by, and finds a gap then."""
    node.add("base")
    node.write_profile(lease_ttl_ms=60_000)
    node.start()
    await node.until_ready()
    assert node.kernel is not None
    kernel = psutil.Process(node.kernel.pid)
    publisher: Any = events_pb2_grpc.EventsStub(node.channel)
    await _publish(publisher, 16)
    async with borne(open_channel(node.front)) as channel:
        slow: Any = events_pb2_grpc.EventsStub(channel)
        streams = [slow.Subscribe(pb.SubscribeRequest(topics=["operator/x"])) for _ in range(8)]
        for stream in streams:
            await stream.read()
        before = kernel.memory_info().rss

        await _publish(publisher, 64)

        assert kernel.memory_info().rss < before + 32 * MIB
        last, is_gap_told = 0, False
        while last < 80 * 16:
            one = await streams[0].read()
            is_gap_told |= one.HasField("gap")
            last = one.batch.events[-1].sequence if one.batch.events else last
        assert is_gap_told
