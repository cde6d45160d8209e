"""How much a module's answers are delayed by proofs under way, its own and its neighbour's.

Two processes, each a module's server with a pool of provers. Small calls go to both, one
every few milliseconds, first while nothing is proven and then while both prove leadership
without a pause.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.report import Figure, arguments, percentile, publish, say
from benchmarks.running import ROOT
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from logos_client.channels import open_channel
from logos_module.process import prepare_process

MODULES: Final = 2
BAR_P99_MS: Final = 50.0
PAUSE_S: Final = 0.005
START_S: Final = 60.0

Stub = Any
"""`HealthStub`, whose asynchronous kind has no stubs of types."""
REQUEST: Final = health_pb2.HealthCheckRequest()


@asynccontextmanager
async def module(folder: Path, name: str, jobs: int) -> AsyncIterator[Stub]:
    """A module that serves, and proves if it has jobs."""
    address = f"unix:{folder}/{name}.sock"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.proving_module", address, str(jobs), cwd=ROOT
    )
    try:
        async with asyncio.timeout(START_S), open_channel(address) as channel:
            while not await is_serving(HealthStub(channel)):  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.1)
        async with open_channel(address) as channel:
            yield HealthStub(channel)
    finally:
        process.kill()
        await process.wait()


async def is_serving(stub: Stub) -> bool:
    """Whether the module has begun."""
    response = await stub.Check(REQUEST, wait_for_ready=True)
    return bool(response.status == health_pb2.HealthCheckResponse.SERVING)


async def latencies(stub: Stub, seconds: float) -> list[float]:
    """Of one call after the other, in ms."""
    kept = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.perf_counter()
        await stub.Check(REQUEST)
        kept.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(PAUSE_S)
    return kept


async def measure(jobs: int, seconds: float) -> list[list[float]]:
    """Of every module."""
    with tempfile.TemporaryDirectory(prefix="logos-prover-") as folder:
        async with AsyncExitStack() as stack:
            stubs = [
                await stack.enter_async_context(module(Path(folder), f"module{number}", jobs))
                for number in range(MODULES)
            ]
            return list(await asyncio.gather(*(latencies(stub, seconds) for stub in stubs)))


def figures_of(what: str, times: list[list[float]], bar_ms: float | None) -> list[Figure]:
    """Median and tail of the module that fares worse."""
    return [
        Figure(f"{what}: p50", max(median(each) for each in times), "ms"),
        Figure(f"{what}: p99", max(percentile(each, 99) for each in times), "ms", at_most=bar_ms),
        Figure(f"{what}: worst", max(max(each) for each in times), "ms"),
    ]


async def run(seconds: float) -> list[Figure]:
    """All figures."""
    figures = []
    for jobs, what, bar_ms in ((0, "no proofs", None), (2, "both prove", BAR_P99_MS)):
        say(what)
        figures += figures_of(what, await measure(jobs, seconds), bar_ms)
    return figures


def main() -> int:
    """Runs the program; returns its exit code."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the two parts")
    options = parser.parse_args()
    prepare_process()
    return publish(asyncio.run(run(options.seconds)), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
