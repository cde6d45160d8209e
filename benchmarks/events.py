"""Events of a node: from publishing to delivery, and how many a second, all durable.

Publishers and the subscriber are operators at the front door of a kernel with SQLite. The
yardstick is the disk: what a write of 4 KiB and its `fdatasync` take in the same folder.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from benchmarks.kernel import ready
from benchmarks.report import Figure, arguments, percentile, publish, say

from logos.kernel.v1 import events_pb2 as pb
from logos.kernel.v1.events_pb2_grpc import EventsStub

TOPIC: Final = "operator/benchmark"
DELIVER_BAR_MS: Final = 10.0
RATE_BAR: Final = 10_000
PUBLISHERS: Final = 8
BATCH: Final = 100
PAYLOAD_BYTES: Final = 100


async def subscribed(stub: Any) -> Any:
    """Returns a subscription that has begun."""
    stream = stub.Subscribe(pb.SubscribeRequest(topics=[TOPIC]))
    while (await stream.read()).WhichOneof("message") != "bookmark":
        pass
    return stream


async def events(stream: Any) -> AsyncIterator[pb.Event]:
    """Yields the events of a subscription."""
    while True:
        for event in (await stream.read()).batch.events:
            yield event


async def delivered(stub: Any, count: int) -> list[float]:
    """Publishes single events, one after another; returns how long each took, in ms."""
    stream = await subscribed(stub)
    following = events(stream)
    took = []
    for _ in range(count):
        began = time.perf_counter()
        event = pb.NewEvent(payload=bytes(PAYLOAD_BYTES))
        publishing = stub.Publish(pb.PublishRequest(topic=TOPIC, events=[event]))
        await anext(following)
        took.append(1000 * (time.perf_counter() - began))
        await publishing
    stream.cancel()
    return took


async def rate(stub: Any, batches: int) -> float:
    """Publishes batches from several publishers; returns events delivered a second."""
    stream = await subscribed(stub)
    following = events(stream)
    batch = [pb.NewEvent(payload=bytes(PAYLOAD_BYTES))] * BATCH

    async def publisher(number: int) -> None:
        for at in range(batches):
            key = f"{time.time_ns()}.{number}.{at}"
            await stub.Publish(pb.PublishRequest(topic=TOPIC, events=batch, key=key))

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(PUBLISHERS):
            tasks.create_task(publisher(number))
        for _ in range(PUBLISHERS * batches * BATCH):
            await anext(following)
    seconds = time.perf_counter() - began
    stream.cancel()
    return PUBLISHERS * batches * BATCH / seconds


def flushed(folder: Path, count: int) -> list[float]:
    """Returns how long a small write and its flush take, in ms."""
    took = []
    file = os.open(folder / "flushed", os.O_CREAT | os.O_WRONLY, 0o600)
    for _ in range(count):
        began = time.perf_counter()
        os.write(file, bytes(4096))
        os.fdatasync(file)
        took.append(1000 * (time.perf_counter() - began))
    os.close(file)
    return took


async def main() -> int:
    """Measures delivery, then the rate."""
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, default=2000, help="single events")
    parser.add_argument("--batches", type=int, default=100, help="of each publisher")
    options = parser.parse_args()
    async with ready(("base", {})) as node:
        stub = EventsStub(node.channel)
        await delivered(stub, 100)
        say("single events")
        took = await delivered(stub, options.count)
        say("batches")
        found = await rate(stub, options.batches)
        disk = flushed(node.root, 300)
    p99 = percentile(took, 99)
    figures = [
        Figure("publish to deliver, p50", percentile(took, 50), "ms"),
        Figure(
            "publish to deliver, p99",
            p99,
            "ms",
            at_most=DELIVER_BAR_MS,
            ratio=p99 / percentile(disk, 99),
            yardstick=f"a flush of the disk, {percentile(disk, 99):.2f} ms",
        ),
        Figure(
            f"batches of {BATCH}, {PUBLISHERS} publishers", found, "events/s", at_least=RATE_BAR
        ),
    ]
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
