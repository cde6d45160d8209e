"""A killed module in a container: from the signal to READY again, its back-off aside.

The yardstick is a container of the same image, beside it in the same round, that only imports what
the module imports: the engine's own time, and that of booting.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.report import Figure, arguments, publish, ratio, say
from benchmarks.running import FRONT_PORTS, ROOT
from benchmarks.start import started
from benchmarks.up import topology

from logos.kernel.v1 import module_pb2, supervisor_pb2, supervisor_pb2_grpc
from logos_client.channels import open_channel
from logos_client.token_file import read_token
from logos_testnet.compose import project_name
from logos_testnet.layout import layout_of
from logos_testnet.topology import parse_topology

MODULE: Final = "storage"
BOOT: Final = "import logos_storage.node"
AGAIN_BAR_S: Final = 1.0
"""Beside booting."""


async def measure(front: str, bearer: str, image: str, rounds: int) -> list[Figure]:
    """Kills the module and boots a bare container, in turn."""
    again, boots = [], []
    async with open_channel(front, bearer) as channel:
        stub: Any = supervisor_pb2_grpc.SupervisorStub(channel)
        for number in range(rounds):
            say(f"kill {number + 1} of {rounds}")
            again.append(await _killed(stub))
            boots.append(_boot(image))
    beside = median(one - boot for one, boot in zip(again, boots, strict=True))
    return [
        Figure(
            "kill to READY in a container, back-off aside",
            median(again),
            "s",
            ratio=ratio(again, boots),
            yardstick=f"booting it, {median(boots):.2f} s",
        ),
        Figure("the same, less booting", beside, "s", at_most=AGAIN_BAR_S),
    ]


async def _killed(stub: Any) -> float:
    """Seconds from the request to kill to READY, less what the module waited for its restart."""
    watch = stub.WatchTransitions(supervisor_pb2.WatchTransitionsRequest())
    began = time.time_ns() / 1e9
    await stub.KillModule(supervisor_pb2.KillModuleRequest(module=MODULE))
    times: dict[int, float] = {}
    async for state, at_s in _states(watch):
        if at_s >= began:
            times.setdefault(state, at_s)
        if module_pb2.MODULE_STATE_READY in times:
            watch.cancel()
            ended = times[module_pb2.MODULE_STATE_BACKOFF] - began
            started_s = times[module_pb2.MODULE_STATE_STARTING]
            return ended + times[module_pb2.MODULE_STATE_READY] - started_s
    raise AssertionError("the stream of transitions ended")


async def _states(watch: Any) -> AsyncIterator[tuple[int, float]]:
    async for response in watch:
        one = response.transition
        if one.module == MODULE:
            yield one.new, one.at.ToNanoseconds() / 1e9


def _boot(image: str) -> float:
    began = time.perf_counter()
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python", image]
    subprocess.run([*command, "-c", BOOT], check=True)
    return time.perf_counter() - began


def main() -> int:
    """Starts a node in containers, measures, prints."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = topology(Path(name))
        testnet = parse_topology(path.read_text(encoding="utf-8")).name
        words = ("--runtime", "containers", "--nodes", "1", "--no-app")
        with started(path, {}, *words):
            container = f"{project_name(testnet)}-node1-{MODULE}-1"
            inspect = ["docker", "inspect", "--format", "{{.Config.Image}}", container]
            image = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout
            bearer = read_token(layout_of(ROOT / ".logos", testnet).operator_token)
            front = f"127.0.0.1:{FRONT_PORTS + 1}"
            figures = asyncio.run(measure(front, bearer, image.strip(), options.rounds))
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
