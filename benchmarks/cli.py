"""How long a command takes, beside the start of Python and the import of its gRPC library.

All of it is timed as people type it: the script, the check of the environment, the call to
a node that is up. Each round runs every command once, the yardsticks among them.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.report import Figure, arguments, publish, ratio, say
from benchmarks.running import ROOT, running

from logos_testnet.testnet import node_of

NOTHING: Final = "python -c pass"
IMPORT: Final = "import grpc"
SECONDS_BAR: Final = 0.35
RATIO_BAR: Final = 3
JUDGED: Final = "storage list"
CONTENT_BYTES: Final = 1024


def commands(address: str, file: Path, cid: str) -> dict[str, list[str]]:
    """Everything that is timed, by name."""
    logos = str(ROOT / "logos")
    ctl = [logos, "ctl", "--address", address]
    return {
        NOTHING: [sys.executable, "-c", "pass"],
        IMPORT: [sys.executable, "-c", "import grpc"],
        "--version": [logos, "--version"],
        JUDGED: [*ctl, "storage", "list"],
        "storage list --output json": [*ctl, "storage", "list", "--output", "json"],
        "module list": [*ctl, "module", "list"],
        "peers": [*ctl, "peers"],
        "storage put, 1 KiB": [*ctl, "storage", "put", str(file)],
        "storage get, 1 KiB": [*ctl, "storage", "get", cid, "-o", str(file.with_name("got"))],
        "storage list --timeout 5": [*ctl, "--timeout", "5", "storage", "list"],
        "ctl --help": [logos, "ctl", "--help"],
    }


def seconds_of(command: list[str], variables: dict[str, str]) -> float:
    """Runs a command, which must succeed."""
    began = time.perf_counter()
    subprocess.run(command, check=True, env=variables, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def rounds_of(address: str, variables: dict[str, str], count: int) -> dict[str, list[float]]:
    """Times each command once a round."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        file.write_bytes(bytes(CONTENT_BYTES))
        put = [ROOT / "logos", "ctl", "--address", address, "storage", "put", file]
        stored = subprocess.run(put, check=True, env=variables, stdout=subprocess.PIPE, text=True)
        cid = stored.stdout.strip()
        each = commands(address, file, cid)
        taken: dict[str, list[float]] = {name: [] for name in each}
        for number in range(count):
            say(f"round {number + 1} of {count}")
            for name, command in each.items():
                taken[name].append(seconds_of(command, variables))
    return taken


def figures_of(taken: dict[str, list[float]]) -> list[Figure]:
    """Medians, and the medians of the ratios to the import of each round."""
    return [
        Figure(
            name,
            median(seconds),
            "s",
            at_most=SECONDS_BAR if name == JUDGED else None,
            ratio=ratio(seconds, taken[IMPORT]),
            yardstick=IMPORT,
            ratio_at_most=RATIO_BAR if name == JUDGED else None,
        )
        for name, seconds in taken.items()
    ]


async def measured(count: int) -> dict[str, list[float]]:
    """Times the commands on a testnet of one node."""
    async with running(1) as testnet:
        node = testnet.started.endpoints.nodes[0].name
        address = node_of(testnet.plan, node).front
        return await asyncio.to_thread(rounds_of, address, testnet.variables, count)


def main() -> int:
    """Runs the rounds and prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    return publish(figures_of(asyncio.run(measured(options.rounds))), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
