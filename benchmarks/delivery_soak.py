"""Five nodes left running with messages between them: what their memory grows by.

    python -m benchmarks.delivery_soak MINUTES

Each node sends in turn, 20 messages of 1 KiB a second in all, without proofs, and an application
of each reads its events. Growth is counted from the sixth part of the time on: caches, and a
SQLite database of pages that are read, fill up first.
"""

import asyncio
import math
import sys
import time
from contextlib import AsyncExitStack
from typing import Any, Final

from benchmarks.delivery import WITHOUT_PROOFS, testnet, topic
from benchmarks.gossip import Tally, paced
from benchmarks.report import Figure, publish

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1.delivery_pb2_grpc import DeliveryStub
from logos_testnet.processes import proportional_bytes

NODES: Final = 5
RATE: Final = 20
ROWS: Final = 12
WARM_ROWS: Final = 2
MODULES: Final = ("delivery", "mixnet")
GROWTH_BAR: Final = 5.0
"""Percent."""


class Soak:
    """The senders and readers."""

    def __init__(self, stubs: list[Any]) -> None:
        self._stubs = stubs
        self._topic = topic()
        self.sent = 0
        self.heard = 0

    async def begin(self) -> None:
        """Subscribes at every node."""
        for stub in self._stubs:
            await stub.Subscribe(pb.SubscribeRequest(content_topics=[self._topic]))

    async def talk(self, seconds: int) -> None:
        """Sends at the rate, each node in turn."""
        await paced(RATE, seconds, Tally(), self._send)

    async def _send(self, number: int, payload: bytes) -> None:
        stub = self._stubs[number % len(self._stubs)]
        await stub.Send(pb.SendRequest(content_topic=self._topic, payload=payload))
        self.sent += 1

    async def read(self, stub: Any) -> None:
        """Counts the messages that come, until cancelled."""
        wanted = pb.WatchEventsRequest(kinds=[pb.EVENT_KIND_RECEIVED], content_topics=[self._topic])
        async for page in stub.WatchEvents(wanted):
            self.heard += len(page.events)


async def soak(minutes: float) -> list[Figure]:
    """Prints a row for each part of the time; returns the figures."""
    async with testnet(WITHOUT_PROOFS, NODES) as net, AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(net.front(node.name)) for node in net.plan.nodes
        ]
        stubs = [DeliveryStub(channel) for channel in channels]
        soaking = Soak(stubs)
        await soaking.begin()
        rows: list[dict[str, float]] = []
        print("   min  " + "  ".join(f"{name}, MiB (sum)" for name in MODULES) + "  heard/sent")
        async with asyncio.TaskGroup() as tasks:
            work = [soaking.talk(math.ceil(60 * minutes)), *map(soaking.read, stubs)]
            working = [tasks.create_task(one) for one in work]
            began = time.monotonic()
            for at in range(1, ROWS + 1):
                await asyncio.sleep(began + 60 * minutes * at / ROWS - time.monotonic())
                rows.append({name: _mib(net, name) for name in MODULES})
                cells = "  ".join(f"{rows[-1][name]:18.1f}" for name in MODULES)
                passed = (time.monotonic() - began) / 60
                print(f"{passed:6.1f}  {cells}  {soaking.heard}/{soaking.sent}", flush=True)
            for each in working:
                each.cancel()
    return [_growth(name, [row[name] for row in rows[WARM_ROWS - 1 :]]) for name in MODULES]


def _mib(net: Any, name: str) -> float:
    """PSS of a module at all nodes."""
    return sum(proportional_bytes([one]) for one in net.processes() if one.name == name) / 2**20


def _growth(name: str, mib: list[float]) -> Figure:
    return Figure(
        f"{name}: growth from {mib[0]:.1f} MiB",
        100 * (mib[-1] / mib[0] - 1),
        "%",
        at_most=GROWTH_BAR,
    )


if __name__ == "__main__":
    sys.exit(publish(asyncio.run(soak(float(sys.argv[1]))), as_json=False))
