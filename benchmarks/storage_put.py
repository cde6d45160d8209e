"""Put to one node against what its disk and one hashing thread can do.

Each round measures both yardsticks, the put over the module's Unix socket and
the put through the front door, one after the other, on content of its own.

Before everything that writes there is a pause. A virtual machine may give freed
memory back to its host after some seconds, and fetch it again page by page,
which slows a write to a third: after the pause everybody pays for that alike.
"""

import asyncio
import sys
from collections import defaultdict
from statistics import median

import grpc
from benchmarks.memory import forget_peak, peak_mib
from benchmarks.report import Figure, arguments, publish, ratio, say
from benchmarks.running import Running, running
from benchmarks.transfers import delete, put
from benchmarks.yardsticks import MIB, sha256_rate, write_rate

PUT_BAR = 0.5
RSS_BAR_MIB = 200
SETTLE_S = 6.0
SMALLER = "smaller of sha256, write"


async def measure(net: Running, mib: int, rounds: int) -> list[Figure]:
    """Figures for one size."""
    rates: dict[str, list[float]] = defaultdict(list)
    for process in net.processes():
        forget_peak(process)
    async with await net.module("node1", "storage") as direct, net.front("node1") as front:
        await _warm(direct, front)
        for number in range(rounds):
            say(f"{mib} MiB, round {number + 1} of {rounds}")
            rates["sha256"].append(await asyncio.to_thread(sha256_rate))
            await asyncio.sleep(SETTLE_S)
            rate = await asyncio.to_thread(write_rate, net.layout.directory, mib * MIB)
            rates["write"].append(rate)
            for way, channel in (("socket", direct), ("front door", front)):
                await asyncio.sleep(SETTLE_S)
                cid, rate = await put(channel, mib * MIB)
                await delete(channel, cid)
                rates[way].append(rate)
    peaks = {f"{p.node}/{p.name}": peak_mib(p) for p in net.processes()}
    return _figures(mib, rates, peaks)


async def _warm(*channels: grpc.aio.Channel) -> None:
    for channel in channels:
        cid, _ = await put(channel, MIB)
        await delete(channel, cid)


def _figures(mib: int, rates: dict[str, list[float]], peaks: dict[str, float]) -> list[Figure]:
    smaller = [min(pair) for pair in zip(rates["sha256"], rates["write"], strict=True)]
    largest = max(peaks, key=lambda name: peaks[name])
    return [
        Figure(f"sha256, {mib} MiB", median(rates["sha256"]), "MB/s"),
        Figure(f"fsynced write, {mib} MiB", median(rates["write"]), "MB/s"),
        *(
            Figure(
                f"put by {way}, {mib} MiB",
                median(rates[way]),
                "MB/s",
                yardstick=SMALLER,
                ratio=ratio(rates[way], smaller),
                ratio_at_least=PUT_BAR,
            )
            for way in ("socket", "front door")
        ),
        Figure(f"peak RSS, {largest}", peaks[largest], "MiB", at_most=RSS_BAR_MIB),
    ]


async def main() -> int:
    """Measures every size on one testnet."""
    parser = arguments(__doc__)
    parser.add_argument("--mib", type=int, nargs="+", default=[1024], help="sizes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=5)
    options = parser.parse_args()
    figures = []
    async with running(options.nodes) as net:
        for mib in options.mib:
            figures += await measure(net, mib, options.rounds)
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
