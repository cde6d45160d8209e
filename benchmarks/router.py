"""What the front door costs, against the same call to the module's own socket.

Direct and routed calls alternate, so that whatever else the machine does meets
both alike.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, Final

import grpc
from benchmarks.report import Figure, arguments, percentile, publish, ratio, say
from benchmarks.running import Running, running
from benchmarks.transfers import delete, get, put
from benchmarks.yardsticks import MIB

from logos.kernel.v1 import router_pb2, router_pb2_grpc
from logos.module.v1.value_pb2 import Map, Value
from logos.network.v1 import peering_pb2, peering_pb2_grpc
from logos.storage.v1 import storage_pb2, storage_pb2_grpc

OVERHEAD_BAR_MS: Final = 1.5
STREAM_BAR: Final = 0.5
WARM_CALLS: Final = 100

Call = Callable[[], Awaitable[Any]]


async def alternate(direct: Call, routed: Call, count: int) -> tuple[list[float], list[float]]:
    """Latencies of both in ms, call by call."""
    latencies: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_CALLS + count):
        for call, kept in zip((direct, routed), latencies, strict=True):
            began = time.perf_counter()
            await call()
            if number >= WARM_CALLS:
                kept.append(1000 * (time.perf_counter() - began))
    return latencies


def unary_figures(method: str, direct: list[float], routed: list[float]) -> list[Figure]:
    """Median, tail and their difference."""
    overhead = median(routed) - median(direct)
    return [
        Figure(f"{method} direct, p50", median(direct), "ms"),
        Figure(f"{method} routed, p50", median(routed), "ms"),
        Figure(f"{method} overhead, p50", overhead, "ms", at_most=OVERHEAD_BAR_MS),
        Figure(f"{method} direct, p99", percentile(direct, 99), "ms"),
        Figure(f"{method} routed, p99", percentile(routed, 99), "ms"),
    ]


async def unary(net: Running, cid: str, calls: int) -> list[Figure]:
    """Two small methods of two modules."""

    def exists(channel: grpc.aio.Channel) -> Call:
        stub = storage_pb2_grpc.StorageStub(channel)
        return lambda: stub.Exists(storage_pb2.ExistsRequest(cid=cid), timeout=5)

    def identity(channel: grpc.aio.Channel) -> Call:
        stub = peering_pb2_grpc.PeeringStub(channel)
        return lambda: stub.GetIdentity(peering_pb2.GetIdentityRequest(), timeout=5)

    figures = []
    for module, method, call in (
        ("storage", "Storage.Exists", exists),
        ("mixnet", "Peering.GetIdentity", identity),
    ):
        say(method)
        async with await net.module("node1", module) as direct, net.front("node1") as front:
            figures += unary_figures(method, *await alternate(call(direct), call(front), calls))
    return figures


async def by_name(net: Running, cid: str, calls: int) -> list[Figure]:
    """The same small method through `Router.Call`, beside the front door's own way."""
    request = router_pb2.CallRequest(
        target="storage",
        method="logos.storage.v1.Storage/Exists",
        args=[Value(map_value=Map(values={"cid": Value(string_value=cid)}))],
    )
    say("Router.Call")
    async with net.front("node1") as front:
        typed, router = storage_pb2_grpc.StorageStub(front), router_pb2_grpc.RouterStub(front)
        passed, named = await alternate(
            lambda: typed.Exists(storage_pb2.ExistsRequest(cid=cid), timeout=5),
            lambda: router.Call(request, timeout=5),
            calls,
        )
    overhead = median(named) - median(passed)
    return [
        Figure("Storage.Exists by name, p50", median(named), "ms"),
        Figure("Storage.Exists by name, beside routed, p50", overhead, "ms"),
        Figure("Storage.Exists by name, p99", percentile(named, 99), "ms"),
    ]


async def streamed(net: Running, cid: str, mib: int, rounds: int) -> Figure:
    """`Storage.Get` of what the node holds."""
    rates: dict[str, list[float]] = {"direct": [], "routed": []}
    async with await net.module("node1", "storage") as direct, net.front("node1") as front:
        for number in range(rounds):
            say(f"{mib} MiB, round {number + 1} of {rounds}")
            rates["direct"].append(await get(direct, cid, mib * MIB, local_only=True))
            rates["routed"].append(await get(front, cid, mib * MIB, local_only=True))
    return Figure(
        f"Storage.Get routed, {mib} MiB",
        median(rates["routed"]),
        "MB/s",
        ratio=ratio(rates["routed"], rates["direct"]),
        yardstick=f"direct, {median(rates['direct']):.0f} MB/s",
        ratio_at_least=STREAM_BAR,
    )


async def main() -> int:
    """Measures calls, then streams."""
    parser = arguments(__doc__)
    parser.add_argument("--mib", type=int, nargs="+", default=[1024], help="sizes of streams")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--nodes", type=int, default=5)
    options = parser.parse_args()
    figures = []
    async with running(options.nodes) as net, net.front("node1") as front:
        cid, _ = await put(front, MIB)
        figures += await unary(net, cid, options.calls)
        figures += await by_name(net, cid, options.calls)
        for mib in options.mib:
            cid, _ = await put(front, mib * MIB)
            figures.append(await streamed(net, cid, mib, options.rounds))
            await delete(front, cid)
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
