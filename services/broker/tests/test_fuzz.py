"""Damaged calls of every method of the broker, from a kernel that proves its node.

`LOGOS_FUZZ_BROKER_SECONDS` (2) says for how long; `LOGOS_FUZZ_SEED` repeats a run, but for how its
calls fall between one another.
"""

import asyncio
import os
import secrets
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random  # noqa: TID251 - a seed repeats a run
from typing import Any, Final

import grpc
import pytest
from broker_rig import BrokerRig
from process_engine import ProcessEngine

from integration.fuzzing import Method, Requests
from logos.broker.v1 import broker_pb2 as pb
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import channel_to, write
from logos_module.errors import reason_of

SECONDS: Final = float(os.environ.get("LOGOS_FUZZ_BROKER_SECONDS", "2"))

pytestmark = [pytest.mark.stress, pytest.mark.timeout(SECONDS + 300)]

METHODS: Final = [Method(one) for one in pb.DESCRIPTOR.services_by_name["Broker"].methods]
WORKERS: Final = 6
HANG_S: Final = 60.0
GROWTH_BYTES: Final = 32 * 1024 * 1024
"""What this process may still grow by once it has made a third of the calls."""
FAULTS: Final = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


async def test_damaged_calls_are_the_callers_fault(
    broker: BrokerRig, engine: ProcessEngine, caplog: pytest.LogCaptureFixture
) -> None:
    seed = int(os.environ.get("LOGOS_FUZZ_SEED") or secrets.randbits(32))
    sys.stderr.write(f"LOGOS_FUZZ_SEED={seed}\n")
    answers = Counter[tuple[str, str, str]]()
    async with channel_to(broker.target) as plain:
        channel = AuthorizedChannel(plain, broker.credential("node1"))
        await _fuzz(channel, f"{seed}/warm", SECONDS / 3, answers)
        before = _resident_bytes()
        await _fuzz(channel, f"{seed}", SECONDS * 2 / 3, answers)

    faults = {key: count for key, count in answers.items() if key[1] in {f.name for f in FAULTS}}
    assert faults == {}
    assert {path for path, _, _ in answers} == {method.path for method in METHODS}
    assert any(code == "OK" for _, code, _ in answers)
    assert _resident_bytes() - before < GROWTH_BYTES
    assert {container for _, container in engine.calls} <= {"node1-stays"}
    assert [one for one in caplog.records if one.exc_info] == []


async def _fuzz(
    channel: grpc.aio.Channel, seed: str, seconds: float, answers: Counter[tuple[str, str, str]]
) -> None:
    """Calls each method once, and then any, for `seconds` at least."""
    end_s, due = asyncio.get_running_loop().time() + seconds, list(METHODS)
    async with asyncio.TaskGroup() as tasks:
        for worker in range(WORKERS):
            rng = Random(f"{seed}/{worker}")  # noqa: S311
            tasks.create_task(_work(channel, rng, answers, due=due, end_s=end_s))


async def _work(
    channel: grpc.aio.Channel,
    rng: Random,
    answers: Counter[tuple[str, str, str]],
    *,
    due: list[Method],
    end_s: float,
) -> None:
    requests = Requests(rng, {"module": ["stays"]})
    while due or asyncio.get_running_loop().time() < end_s:
        method = due.pop() if due else rng.choice(METHODS)
        async with asyncio.timeout(HANG_S):
            code, reason = await _call(channel, method.path, requests.next(method), rng)
        answers[method.path, code.name, reason] += 1


async def _call(
    channel: grpc.aio.Channel, path: str, message: bytes, rng: Random
) -> tuple[grpc.StatusCode, str]:
    call: Any = channel.stream_stream(path)(timeout=rng.choice((0.01, 0.1, 1.0)))
    try:
        if await write(call, message):
            with suppress(grpc.aio.InternalError, asyncio.InvalidStateError):  # it has ended
                await call.done_writing()
        async for _answer in call:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code(), reason_of(error)
    return await call.code(), ""


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
