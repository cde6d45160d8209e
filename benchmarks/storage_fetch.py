"""Fetch from node to node against the bare Rust stream between two hosts.

A fetch passes four gRPC hops: storage to mixnet on the node that has the
content, mixnet to storage and storage to client on the node that gets it, and
the client's own. Each round measures the yardstick, then fetches content that
node4 has not seen, over the Unix socket of its storage module and through its
front door.
"""

import asyncio
import json
import subprocess
import sys
from statistics import median
from typing import Final

from benchmarks.memory import forget_peak, peak_mib
from benchmarks.report import Figure, arguments, publish, ratio, say
from benchmarks.running import ROOT, Running, running
from benchmarks.transfers import delete, get, put
from benchmarks.yardsticks import MIB

NATIVE: Final = ROOT / "native"
RATIO_BAR: Final = 1 / 3
RATE_BAR_MB_S: Final = 100
RSS_BAR_MIB: Final = 200


def build_yardstick() -> None:
    """Builds it before the clock runs."""
    say("building native/crates/p2p/examples/stream_rate.rs")
    command = "cargo build --release --locked --quiet --package logos-p2p --example stream_rate"
    subprocess.run(command.split(), cwd=NATIVE, check=True)


def stream_rate(mib: int) -> float:
    """Rate of the bare Rust stream, MB/s."""
    program = NATIVE / "target" / "release" / "examples" / "stream_rate"
    result = subprocess.run(
        [program, "--mib", str(mib)], check=True, stdout=subprocess.PIPE, timeout=600
    )
    return float(json.loads(result.stdout)["mb_per_second"])


async def measure(net: Running, mib: int, rounds: int) -> list[Figure]:
    """Figures for one size."""
    rates: dict[str, list[float]] = {"stream": [], "socket": [], "front door": []}
    for process in net.processes():
        forget_peak(process)
    async with (
        net.front("node1") as origin,
        await net.module("node4", "storage") as direct,
        net.front("node4") as front,
    ):
        for number in range(rounds):
            say(f"{mib} MiB, round {number + 1} of {rounds}")
            rates["stream"].append(await asyncio.to_thread(stream_rate, mib))
            for way, channel in (("socket", direct), ("front door", front)):
                cid, _ = await put(origin, mib * MIB)
                rates[way].append(await get(channel, cid, mib * MIB))
                await delete(channel, cid)
                await delete(origin, cid)
    peaks = {f"{p.node}/{p.name}": peak_mib(p) for p in net.processes()}
    largest = max(peaks, key=lambda name: peaks[name])
    figures = [Figure(f"bare Rust stream, {mib} MiB", median(rates["stream"]), "MB/s")]
    figures += [
        Figure(
            f"fetch by {way}, {mib} MiB",
            median(rates[way]),
            "MB/s",
            at_least=RATE_BAR_MB_S,
            ratio=ratio(rates[way], rates["stream"]),
            yardstick="bare stream",
            ratio_at_least=RATIO_BAR,
        )
        for way in ("socket", "front door")
    ]
    figures.append(Figure(f"peak RSS, {largest}", peaks[largest], "MiB", at_most=RSS_BAR_MIB))
    return figures


async def main() -> int:
    """Measures every size on one testnet."""
    parser = arguments(__doc__)
    parser.add_argument("--mib", type=int, nargs="+", default=[1024], help="sizes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=5)
    options = parser.parse_args()
    await asyncio.to_thread(build_yardstick)
    figures = []
    async with running(options.nodes) as net:
        for mib in options.mib:
            figures += await measure(net, mib, options.rounds)
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
