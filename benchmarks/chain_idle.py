"""The part of benchmarks/chain.py that watches five nodes that only lead and follow.

They are those of `./logos up`, started for it and removed: the mixes send cover, and each node's
wallet of the genesis leads. What is counted begins when all have come online.

A proof was ready in time if its block has come to one of the nodes, most often another one, before
its slot ended. A leader publishes when its slot begins, or later; it gives a slot up as `TOO_LATE`
only some seconds after its end, so that count alone would say too little.
"""

import asyncio
import os
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.report import Figure, percentile, say
from benchmarks.running import TOPOLOGY, Running, running

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_chain.node.clocks import unix_ms
from logos_testnet.fork_server import find_fork_servers
from logos_testnet.processes import NodeProcess, proportional_bytes

PORTS_FROM: Final = 400
ONLINE_S: Final = 300.0
CALL_S: Final = 10.0
EVERY_S: Final = 30.0
CHAIN: Final = "chain"
TICKS: Final = os.sysconf("SC_CLK_TCK")
CORES: Final = 2
"""The bar is a share of so many cores, also on a larger machine."""
CPU_BAR: Final = 40.0
PSS_BAR_MIB: Final = 120.0
READY_BAR: Final = 99.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Of a moment."""

    at_s: float
    cpu_s: dict[str, float]
    """Processor time of the processes of each name since their starts; ended children too."""
    nodes: dict[str, pb.GetInfoResponse]

    @property
    def heights(self) -> list[int]:
        """Of the tips."""
        return [each.tip.height for each in self.nodes.values()]


def cpu_s(process: NodeProcess) -> float:
    """Processor time of a process since its start, with that of children that have ended."""
    text = (Path("/proc") / str(process.pid) / "stat").read_text(encoding="ascii")
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


async def infos(net: Running) -> dict[str, pb.GetInfoResponse]:
    """What each node says of its chain."""
    found = {}
    for node in net.plan.nodes:
        async with net.front(node.name) as channel:
            found[node.name] = await ChainNodeStub(channel).GetInfo(
                pb.GetInfoRequest(), timeout=CALL_S
            )
    return found


def every_process(net: Running) -> list[NodeProcess]:
    """Kernels, modules, and what has forked them."""
    return [*net.processes(), *find_fork_servers(net.layout.directory)]


async def sample(net: Running) -> Sample:
    """Looks at all processes and nodes."""
    spent: dict[str, float] = {}
    nodes = await infos(net)
    for each in every_process(net):
        spent[each.name] = spent.get(each.name, 0.0) + cpu_s(each)
    return Sample(time.monotonic(), spent, nodes)


async def online(net: Running) -> Sample:
    """Waits until all nodes follow the chain and lead, and a block has come."""
    async with asyncio.timeout(ONLINE_S):
        while True:
            nodes = (await infos(net)).values()
            if all(each.phase == pb.PHASE_ONLINE and each.tip.height for each in nodes):
                return await sample(net)
            await asyncio.sleep(1)


@dataclass(slots=True)
class Arrivals:
    """When blocks come to a node, in milliseconds after their slots began."""

    slot_ms: int
    after_ms: list[float] = field(default_factory=list)

    async def watch(self, net: Running, node: str) -> None:
        """Hears of each block that extends the node's chain, until cancelled."""
        async with net.front(node) as channel:
            async for news in ChainNodeStub(channel).WatchBlocks(pb.WatchBlocksRequest()):
                now_ms = unix_ms()
                if news.removed:
                    continue  # blocks of a fork, which have been here for a while
                for block in news.added:
                    self.after_ms.append(now_ms - block.time.ToMilliseconds())

    @property
    def in_time(self) -> int:
        """How many came before their slots ended."""
        return sum(each <= self.slot_ms for each in self.after_ms)


@asynccontextmanager
async def watching(net: Running) -> AsyncIterator[tuple[Sample, Arrivals]]:
    """What there is once all are online, and the blocks that one node tells of from then on."""
    first, teller = await online(net), net.plan.nodes[-1].name
    arrivals = Arrivals(first.nodes[teller].slot_ms)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(arrivals.watch(net, teller))
        yield first, arrivals
        task.cancel()


async def watched(net: Running, minutes: float) -> tuple[Sample, Sample, Arrivals]:
    """What there is before and after some minutes, in which one node tells of its blocks."""
    async with watching(net) as (first, arrivals):
        end_s = first.at_s + minutes * 60
        while (left_s := end_s - time.monotonic()) > 0:
            load, seen = os.getloadavg()[0], len(arrivals.after_ms)
            say(f"{left_s:.0f} s left; {seen} blocks; load of the machine {load:.2f}")
            await asyncio.sleep(min(left_s, EVERY_S))
        last = await sample(net)
    return first, last, arrivals


async def idle_figures(options: Namespace) -> list[Figure]:
    """Processor time, memory, and what became of the slots that were won."""
    async with running(options.nodes, TOPOLOGY, PORTS_FROM) as net:
        say("waiting until all follow the chain")
        first, last, arrivals = await watched(net, options.minutes)
        chains = [each for each in net.processes() if each.name == CHAIN]
        pss = [proportional_bytes([each]) / 2**20 for each in chains]
        whole = proportional_bytes(every_process(net)) / 2**20
    return [
        *cpu_figures(first, last),
        *memory_figures(pss, whole),
        *slot_figures(first, last, arrivals),
    ]


def cpu_figures(first: Sample, last: Sample) -> list[Figure]:
    """Of all processes, and of the chain's; the yardstick is all else of the same minutes."""
    shares = {
        name: 100 * (spent - first.cpu_s.get(name, 0.0)) / (last.at_s - first.at_s) / CORES
        for name, spent in last.cpu_s.items()
    }
    whole, chain, nodes = sum(shares.values()), shares.get(CHAIN, 0.0), len(last.nodes)
    return [
        Figure(f"{nodes} idle nodes: all", whole, "% of two cores", at_most=CPU_BAR),
        Figure(
            f"{nodes} idle nodes: the chain modules",
            chain,
            "% of two cores",
            ratio=chain / (whole - chain),
            yardstick="all others",
        ),
    ]


def memory_figures(pss_mib: Sequence[float], whole_mib: float) -> list[Figure]:
    """Of the chain modules, beside everything."""
    largest = max(pss_mib)
    return [
        Figure(
            "chain module, the largest: PSS",
            largest,
            "MiB",
            at_most=PSS_BAR_MIB,
            ratio=largest * len(pss_mib) / whole_mib,
            yardstick="all processes",
        ),
        Figure("all processes: PSS", whole_mib, "MiB"),
    ]


def slot_figures(first: Sample, last: Sample, arrivals: Arrivals) -> list[Figure]:
    """What became of the slots that were won in these minutes."""

    def counted(name: str) -> int:
        return sum(
            getattr(each.leading, name) - getattr(first.nodes[node].leading, name)
            for node, each in last.nodes.items()
        )

    late, after_ms = counted("too_late"), arrivals.after_ms
    slots = len(after_ms) + late
    in_time = 100 * arrivals.in_time / slots if slots else 0.0
    return [
        Figure("slots won", counted("won"), ""),
        Figure("slots won: proposed in", counted("proposed"), ""),
        Figure("slots won: missed for any reason", counted("missed"), ""),
        Figure("slots won: missed since the proof was too late", late, ""),
        Figure("slots whose block was there before they ended", in_time, "%", at_least=READY_BAR),
        Figure("block, from its slot's begin to a node: p50", percentile(after_ms, 50), "ms"),
        Figure("block, from its slot's begin to a node: p99", percentile(after_ms, 99), "ms"),
        Figure("tips apart at the end", max(last.heights) - min(last.heights), "blocks"),
    ]
