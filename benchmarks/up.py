"""Time until a testnet is READY and connected, and its memory, for several sizes.

Warm: the virtual environment and the native library are there. What is timed
is the command that people type, `./logos up`, its own start included.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.report import Figure, arguments, publish, say
from benchmarks.running import FRONT_PORTS, P2P_PORTS, ROOT, TOPOLOGY

from logos_testnet.fork_server import find_fork_servers
from logos_testnet.layout import layout_of
from logos_testnet.processes import find_processes, proportional_bytes

NAME: Final = "benchmark-up"
SECONDS_BAR: Final = 4
PSS_BAR_MB: Final = 450
JUDGED_NODES: Final = 5
SETTLE_S: Final = 5


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a testnet."""

    seconds: float
    pss_mb: float


def topology(folder: Path) -> Path:
    """deploy/topologies/small.toml under another name, on other ports."""
    text = TOPOLOGY.read_text(encoding="utf-8")
    text = text.replace('name = "small"', f'name = "{NAME}"')
    text = text.replace("front = 17000", f"front = {FRONT_PORTS}")
    text = text.replace("p2p = 18000", f"p2p = {P2P_PORTS}")
    text = text.replace("app = 17900", f"app = {FRONT_PORTS - 1}")
    path = folder / "topology.toml"
    path.write_text(text, encoding="utf-8")
    return path


def logos(*words: str) -> None:
    """Runs `./logos`; its output goes to standard error, which people see."""
    subprocess.run([ROOT / "logos", *words], check=True, stdout=sys.stderr, timeout=600)


def start(path: Path, nodes: int) -> Start:
    """Starts a testnet of so many nodes, weighs it, and purges it."""
    say(f"{nodes} nodes")
    began = time.perf_counter()
    try:
        logos("up", "--topology", str(path), "--nodes", str(nodes))
        seconds = time.perf_counter() - began
        time.sleep(SETTLE_S)
        directory = layout_of(ROOT / ".logos", NAME).directory
        processes = [*find_processes(directory), *find_fork_servers(directory)]
        return Start(seconds, proportional_bytes(processes) / 1e6)
    finally:
        logos("down", "--topology", str(path), "--purge")


def figures_of(nodes: int, starts: list[Start]) -> list[Figure]:
    """Medians of several starts. The bars are for five nodes."""
    judged = nodes == JUDGED_NODES
    seconds = median(start.seconds for start in starts)
    pss_mb = median(start.pss_mb for start in starts)
    return [
        Figure(f"{nodes} nodes: up", seconds, "s", at_most=SECONDS_BAR if judged else None),
        Figure(f"{nodes} nodes: PSS", pss_mb, "MB", at_most=PSS_BAR_MB if judged else None),
        Figure(f"{nodes} nodes: up, a node", seconds / nodes, "s"),
        Figure(f"{nodes} nodes: PSS, a node", pss_mb / nodes, "MB"),
    ]


def main() -> int:
    """Starts each size several times, sizes in turn."""
    parser = arguments(__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[3, 5, 8], help="sizes")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    starts: dict[int, list[Start]] = {nodes: [] for nodes in options.nodes}
    with tempfile.TemporaryDirectory() as folder:
        path = topology(Path(folder))
        start(path, 1)  # makes or updates what is not warm yet
        for _ in range(options.rounds):
            for nodes, kept in starts.items():
                kept.append(start(path, nodes))
    figures = [figure for nodes, kept in starts.items() for figure in figures_of(nodes, kept)]
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
