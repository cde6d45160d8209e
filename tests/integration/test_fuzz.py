"""Damaged requests to every method that reflection names: refused by name, and nothing else.

LOGOS_FUZZ_RPC_SECONDS says for how long; LOGOS_FUZZ_SEED repeats a run.
"""

import asyncio
import json
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from integration.fuzzing import Method, Requests, methods_of, told
from logos.kernel.v1 import module_pb2
from logos_module.channels import write
from logos_testnet.client import open_channel
from logos_testnet.layout import layout_of
from logos_testnet.opening import Places, open_testnet, remember
from logos_testnet.processes import find_processes
from logos_testnet.progress import silent
from logos_testnet.scenarios.waiting import until_whole
from logos_testnet.testnet import Testnet
from own_topology import described

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SECONDS: Final = float(os.environ.get("LOGOS_FUZZ_RPC_SECONDS", "4"))
SEED: Final = int(os.environ.get("LOGOS_FUZZ_SEED") or secrets.randbits(32))
WORKERS: Final = 8
HUNG_S: Final = 60.0
GROWTH_BYTES: Final = 96 * 1024 * 1024
"""Pools fill and caches warm up; a leak of a few KiB a call would be far above it."""

FAULTS: Final = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
LEFT_OUT: Final = frozenset({"/logos.module.v1.ModuleHost/PrepareStop"})
"""Well-formed whatever its bytes, nearly: it ends the module."""


@pytest.fixture
def fuzzed(places: Places) -> Iterator[Testnet]:
    """Two nodes of their own: what valid calls do to them harms no other test."""
    description = replace(described("fuzzed"), node_count=2)
    opened = open_testnet(description, places, runtime="processes")
    layout_of(places.state_root, "fuzzed").directory.mkdir(parents=True)
    remember(description, opened, places)
    try:
        asyncio.run(opened.up(silent))
        yield opened
    finally:
        asyncio.run(opened.down(silent, purge=True))


@dataclass
class Fuzz:
    """One target, and what it answered."""

    target: str
    methods: list[Method]
    requests: Requests
    codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    async def run(self, until: float) -> None:
        channel = open_channel(self.target)
        try:
            while time.monotonic() < until:
                await asyncio.gather(*(self._call(channel) for _ in range(WORKERS)))
        finally:
            await channel.close()

    async def _call(self, channel: grpc.aio.Channel) -> None:
        method = self.requests.choose(self.methods)
        some = self.requests.some(method)
        call = _begin(method, channel, some, self.requests.deadline_s())
        code = await asyncio.wait_for(_end_of(call, method, some), HUNG_S)
        self.codes[method.path, code.name] += 1
        if code in FAULTS:
            said = f"{method.path} {code.name} {await call.details()}: {', '.join(told(some))}"
            self.faults.append(said)


def _begin(
    method: Method, channel: grpc.aio.Channel, some: list[bytes], timeout: float
) -> grpc.aio.Call:
    begin = method.on(channel)
    call: grpc.aio.Call
    call = begin(timeout=timeout) if method.request_streaming else begin(some[0], timeout=timeout)
    return call


async def _end_of(call: Any, method: Method, some: list[bytes]) -> grpc.StatusCode:
    try:
        if method.request_streaming:
            for raw in some:
                if not await write(call, raw):
                    break
            with suppress(grpc.aio.InternalError):
                await call.done_writing()
        if method.response_streaming:
            while await call.read() is not grpc.aio.EOF:
                pass
        else:
            await call
    except grpc.aio.AioRpcError:
        pass
    code: grpc.StatusCode = await call.code()
    return code


async def test_damaged_requests_are_refused_and_harm_nothing(
    fuzzed: Testnet, places: Places
) -> None:
    before = {module.name: module for module in (await until_whole(fuzzed))[0].modules}
    targets = [fuzzed.plan.nodes[0].front, *(module.endpoint for module in before.values())]
    folder = layout_of(places.state_root, "fuzzed").directory
    pids = [each.pid for each in find_processes(folder) if each.node == "node1"]
    begun = _sizes(folder / "node1" / "logs")
    fuzzes = [await _fuzz_of(target, number) for number, target in enumerate(targets)]

    await _run(fuzzes, SECONDS / 3)
    warm = _memory(pids)
    await _run(fuzzes, SECONDS * 2 / 3)
    grown = {pid: size - warm[pid] for pid, size in _memory(pids).items()}

    assert [fault for one in fuzzes for fault in one.faults][:20] == [], f"seed {SEED}"
    assert max(grown.values()) < GROWTH_BYTES, f"seed {SEED}: {grown}"
    after = {module.name: module for module in (await until_whole(fuzzed))[0].modules}
    assert _identities(after) == _identities(before), f"seed {SEED}"
    malformed = sum(
        count
        for one in fuzzes
        for (_, code), count in one.codes.items()
        if code == "INVALID_ARGUMENT"
    )
    assert malformed > 0
    _check_logs(folder / "node1" / "logs", begun)


async def _fuzz_of(target: str, number: int) -> Fuzz:
    methods = await asyncio.to_thread(methods_of, target)
    chosen = [method for method in methods if method.path not in LEFT_OUT]
    return Fuzz(target, chosen, Requests(SEED + number))


async def _run(fuzzes: list[Fuzz], seconds: float) -> None:
    until = time.monotonic() + seconds
    await asyncio.gather(*(fuzz.run(until) for fuzz in fuzzes))


def _memory(pids: list[int]) -> dict[int, int]:
    """Resident bytes by process."""
    page = os.sysconf("SC_PAGE_SIZE")
    return {
        pid: int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * page
        for pid in pids
    }


def _identities(modules: dict[str, module_pb2.Module]) -> dict[str, tuple[int, int]]:
    return {name: (module.pid, module.epoch) for name, module in modules.items()}


def _sizes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in folder.glob("*.log")}


def _check_logs(folder: Path, begun: dict[Path, int]) -> None:
    """No stack trace, and of malformed requests at most a line a second."""
    for path in folder.glob("*.log"):
        new = path.read_bytes()[begun.get(path, 0) :].decode()
        lines = [json.loads(line) for line in new.splitlines()]
        traces = [
            f"{line['message']}: {line['exception']}" for line in lines if "exception" in line
        ]
        assert not traces, "\n".join(traces)
        seconds = {line["time"][:19] for line in lines if "decoded" in line["message"]}
        told_of = [line for line in lines if "decoded" in line["message"]]
        assert len(told_of) <= 2 * len(seconds)
