"""What the kernel promises of one node: hangs, its own restart, the front door, revocation, size.

Modules are those of the kernel's tests: an echo service, and one that calls another every 20 ms
and counts. How long a crash takes is measured by `start.py`, tokens by `capabilities.py`.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import grpc
from benchmarks.report import Figure, arguments, publish, say
from benchmarks.running import ROOT
from benchmarks.start import copies, started
from benchmarks.up import topology

from logos.kernel.v1 import capability_pb2, capability_pb2_grpc, module_pb2, supervisor_pb2
from logos_client.channels import open_channel
from logos_testnet.layout import layout_of
from logos_testnet.processes import KERNEL, find_processes
from logos_testnet.topology import parse_topology

sys.path.insert(0, str(ROOT / "services" / "kernel" / "tests" / "support"))
import echo_service
from kernel_process import Node, made_node

WATCHDOG_S: Final = 3.0
NOTICED_BAR_S: Final = WATCHDOG_S + 1
WHOLE_BAR_S: Final = 3.0
REVOKED_BAR_S: Final = 1.0
PROXY_BAR: Final = 0.6
MANY_MIB_BAR: Final = 150 / 1.048576
MANY_CORE_BAR: Final = 3.0
IDLE_BAR: Final = 1.5
IN_FLIGHT: Final = 32
REST_S: Final = 30.0
SETTLE_S: Final = 5.0


@asynccontextmanager
async def ready(*modules: tuple[str, dict[str, Any]], **policy: int) -> AsyncIterator[Node]:
    """A node of such modules that is READY."""
    with made_node() as node:
        node.connect()
        for name, settings in modules:
            node.add(name, **settings)
        node.write_profile(**policy)
        node.start()
        await node.until_ready()
        try:
            yield node
        finally:
            await node.channel.close()


async def noticed(rounds: int) -> Figure:
    """From SIGSTOP of a module to the transition by which its kernel ends it."""
    manifest = {"manifest": f"watchdog_ms = {int(WATCHDOG_S * 1000)}\n"}
    took = []
    async with ready(("base", manifest), lease_ttl_ms=60_000) as node:
        for number in range(rounds):
            say(f"hang {number + 1} of {rounds}")
            await node.until_ready()
            at = time.time_ns() / 1e9
            os.kill((await node.module("base")).pid, signal.SIGSTOP)
            took.append(await _ended_by_watchdog(node, at) - at)
    return Figure("a hang is noticed, of 3 s watchdog", max(took), "s", at_most=NOTICED_BAR_S)


async def _ended_by_watchdog(node: Node, since_s: float) -> float:
    """Returns when the kernel noted it, in seconds since 1970."""
    watch = node.supervisor().WatchTransitions(supervisor_pb2.WatchTransitionsRequest())
    async for response in watch:
        one = response.transition
        at_s = one.at.ToNanoseconds() / 1e9
        if one.reason == module_pb2.TRANSITION_REASON_WATCHDOG and at_s > since_s:
            watch.cancel()
            return at_s
    raise AssertionError("the stream of transitions ended")


async def restarted(rounds: int) -> list[Figure]:
    """`kill -9` of a kernel under load, and the next one: failed calls, time until all is READY."""
    took, failed = [], 0
    async with ready(("top", {"requires": ["base"], "peer": "base"}), ("base", {})) as node:
        for number in range(rounds):
            say(f"restart {number + 1} of {rounds}")
            before = [one.pid for one in (await node.status()).modules]
            kernel = node.kernel
            assert kernel is not None
            kernel.kill()
            kernel.wait()
            node.kernel = None
            began = time.perf_counter()
            node.start()
            status = await node.until_ready()
            took.append(time.perf_counter() - began)
            failed += [one.pid for one in status.modules] != before
        failed += int((node.root / "modules" / "top" / "calls").read_text().split()[1])
    return [
        Figure("kernel restart: failed calls, and modules started again", failed, "", at_most=0),
        Figure("kernel restart: all READY again", max(took), "s", at_most=WHOLE_BAR_S),
    ]


async def revoked(rounds: int) -> Figure:
    """From an operator's refusal to the first call that the callee refuses; one each 20 ms."""
    took = []
    async with ready(("top", {"requires": ["base"], "peer": "base"}), ("base", {})) as node:
        stub: Any = capability_pb2_grpc.CapabilityStub(node.channel)
        for _ in range(rounds):
            grant = capability_pb2.Grant(
                caller="top", target="base", methods=["test.base.Echo/*"], refuse=True
            )
            began, refused = time.perf_counter(), _failures(node)
            await stub.SetGrant(capability_pb2.SetGrantRequest(grant=grant))
            await _until(lambda refused=refused: _failures(node) > refused)  # type: ignore[misc]
            took.append(time.perf_counter() - began)
            taken_back = capability_pb2.DeleteGrantRequest(caller="top", target="base", refuse=True)
            await stub.DeleteGrant(taken_back)
            done = _calls(node)
            await _until(lambda done=done: _calls(node) > done)  # type: ignore[misc]
    return Figure("a refusal is effective", max(took), "s", at_most=REVOKED_BAR_S)


def _calls(node: Node) -> int:
    return int((node.root / "modules" / "top" / "calls").read_text().split()[0])


def _failures(node: Node) -> int:
    return int((node.root / "modules" / "top" / "calls").read_text().split()[1])


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - a file changes, without a notification
            await asyncio.sleep(0.005)


async def proxied(rounds: int, calls: int) -> Figure:
    """Calls a second through the front door and through a bare proxy, 1 KiB, 32 at once."""
    rates: dict[str, list[float]] = {"front": [], "bare": []}
    async with ready(("base", {})) as node:
        endpoint = (await node.module("base")).endpoint
        address = f"unix:{node.root}/proxy.sock"
        command = ("benchmarks.bare_proxy", address, endpoint, "base", str(node.state_dir))
        with _process(*command):
            async with open_channel(address) as bare:
                await bare.channel_ready()
                for number in range(rounds):
                    say(f"front door and bare proxy, {number + 1} of {rounds}")
                    rates["front"].append(await _rate(node.channel, calls))
                    rates["bare"].append(await _rate(bare, calls))
    front, bare = median(rates["front"]), median(rates["bare"])
    return Figure(
        "unary calls through the front door, 32 at once",
        front,
        "/s",
        ratio=front / bare,
        yardstick=f"a bare grpc.aio proxy, {bare:.0f}/s",
        ratio_at_least=PROXY_BAR,
    )


async def _rate(channel: grpc.aio.Channel, count: int) -> float:
    """Calls a second."""
    call: Any = echo_service.stub(channel, "test.base.Echo", "UnaryUnary")
    request = echo_service.Bytes(value=bytes(1024))
    begun = iter(range(count))

    async def one_after_another() -> None:
        for _ in begun:
            await call(request, timeout=30)

    began = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - began)


async def idle() -> Figure:
    """Resident memory of an idle module, beside a bare server of `grpc.aio`, both by exec."""
    address = "127.0.0.1:0"
    async with ready(("base", {})) as node:
        with _process("benchmarks.echo_server", address) as bare:
            await asyncio.sleep(SETTLE_S)
            ours = _resident_mib((await node.module("base")).pid)
            theirs = _resident_mib(bare.pid)
    return Figure(
        "an idle module of the SDK, RSS",
        ours,
        "MiB",
        ratio=ours / theirs,
        yardstick=f"a bare grpc.aio server, {theirs:.0f} MiB",
        ratio_at_most=IDLE_BAR,
    )


@contextmanager
def _process(module: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", module, *words], cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _resident_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith("Rss:"))
    return int(line.split()[1]) / 1024


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def many(count: int) -> list[Figure]:
    """A kernel with so many modules, at rest."""
    say(f"{count} modules")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = topology(folder)
        text = path.read_text(encoding="utf-8") + copies(folder, count - 2)
        path.write_text(text, encoding="utf-8")
        layout = layout_of(ROOT / ".logos", parse_topology(text).name)
        with started(path, {"PYTHONPATH": name}, "--nodes", "1") as (seconds, _):
            time.sleep(SETTLE_S)
            kernel = next(one for one in find_processes(layout.directory) if one.name == KERNEL)
            before = _cpu_s(kernel.pid)
            time.sleep(REST_S)
            share = 100 * (_cpu_s(kernel.pid) - before) / REST_S
            resident = _resident_mib(kernel.pid)
    return [
        Figure(f"{count} modules: ./logos up", seconds, "s"),
        Figure(f"{count} modules: kernel, RSS", resident, "MiB", at_most=MANY_MIB_BAR),
        Figure(f"{count} modules: kernel at rest", share, "% of a core", at_most=MANY_CORE_BAR),
    ]


async def of_one_node(options: Any) -> list[Figure]:
    """All but the node with many modules."""
    return [
        await noticed(options.rounds),
        *await restarted(options.rounds),
        await revoked(options.rounds),
        await proxied(options.rounds, options.calls),
        await idle(),
    ]


def main() -> int:
    """Measures and prints."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=5000, help="of each round")
    parser.add_argument("--modules", type=int, default=200, help="0: not measured")
    options = parser.parse_args()
    figures = asyncio.run(of_one_node(options))
    if options.modules:
        figures += many(options.modules)
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
