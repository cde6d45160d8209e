"""Memory of a mixnet of five nodes, and of one whose table of tags is full.

A million tags are written to the database of one node, whose mixnet is then started again: it
reads them before it relays (MIX-16).
"""

import asyncio
import secrets
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from benchmarks.report import Figure, arguments, publish, say
from benchmarks.running import Running, running

from logos.kernel.v1 import supervisor_pb2, supervisor_pb2_grpc
from logos.network.v1 import mix_pb2, mix_pb2_grpc
from logos_mixnet.core.mixing.tags import MAX_TAGS, TAG_BYTES
from logos_testnet.client import READY, view
from logos_testnet.processes import proportional_bytes

NODES: Final = 5
BAR_MIB: Final = 90.0
TAGS: Final = 1_000_000
PER_ROW: Final = 1_000
NODE: Final = "node1"
MIXNET: Final = "mixnet"


def memory_mib(testnet: Running, node: str = "") -> list[float]:
    """PSS of each mixnet, or of one node's, MiB."""
    found = [each for each in testnet.processes() if each.name == MIXNET]
    return [proportional_bytes([each]) / 2**20 for each in found if node in {"", each.node}]


def fill(database: Path) -> None:
    """Adds tags of the newest key, as if so many packets had come."""
    with closing(sqlite3.connect(database, timeout=30)) as opened, opened:
        (epoch,) = opened.execute("SELECT MAX(epoch) FROM mix_key").fetchone()
        opened.executemany(
            "INSERT INTO mix_tags (epoch, tags) VALUES (?, ?)",
            ((epoch, secrets.token_bytes(PER_ROW * TAG_BYTES)) for _ in range(TAGS // PER_ROW)),
        )


async def restart(testnet: Running, node: str) -> float:
    """Starts a mixnet again; returns after how many seconds it was READY."""
    async with testnet.front(node) as channel:
        epoch = await _epoch(testnet, node)
        begun = time.monotonic()
        asked = supervisor_pb2.RestartModuleRequest(module=MIXNET)
        await supervisor_pb2_grpc.SupervisorStub(channel).RestartModule(asked)
        async with asyncio.timeout(120):
            while await _epoch(testnet, node) <= epoch:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.05)
        return time.monotonic() - begun


async def _epoch(testnet: Running, node: str) -> int:
    async with testnet.front(node) as channel:
        seen = await view(channel, networked=False)
    ready = {each.name: int(each.epoch) for each in seen.modules if each.state == READY}
    return ready.get(MIXNET, 0)


async def until_pool(testnet: Running, node: str) -> None:
    """Waits until a node knows all others as mixes."""
    async with testnet.front(node) as channel, asyncio.timeout(120):
        stub = mix_pb2_grpc.MixStub(channel)
        asked = mix_pb2.MixGetStatusRequest()
        while (await stub.GetStatus(asked)).pool_size < NODES - 1:  # noqa: ASYNC110 - a remote event
            await asyncio.sleep(0.2)


async def measure(seconds: float) -> list[Figure]:
    """All figures."""
    async with running(NODES) as testnet:
        await until_pool(testnet, NODE)
        await asyncio.sleep(seconds)
        before = memory_mib(testnet)
        whole = proportional_bytes(testnet.processes()) / 2**20
        say(f"mixnets: {', '.join(f'{each:.1f}' for each in before)} MiB")
        fill(testnet.layout.node(NODE) / "modules" / MIXNET / "mixnet.sqlite")
        ready_s = await restart(testnet, NODE)
        await until_pool(testnet, NODE)
        await asyncio.sleep(seconds)
        (full,) = memory_mib(testnet, NODE)
    return [
        Figure("five nodes, all processes", whole, "MiB PSS"),
        Figure("a mixnet, the largest of five", max(before), "MiB PSS", at_most=BAR_MIB),
        Figure(f"with {TAGS:,} of {MAX_TAGS:,} tags", full, "MiB PSS", at_most=BAR_MIB),
        Figure("until it is READY with them", ready_s, "s"),
    ]


def main() -> int:
    """Runs the program; returns its exit code."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="from a full pool to a look")
    options = parser.parse_args()
    return publish(asyncio.run(measure(options.seconds)), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
