"""Starting by fork beside starting by exec: `./logos up`, modules beside, and a killed module.

Warm: the virtual environment, the native library and the compiled Python are there. Both ways
are timed in turn, so that each ratio is of figures a few seconds apart.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.report import Figure, arguments, publish, ratio, say
from benchmarks.running import ROOT
from benchmarks.up import topology

from logos_testnet.fork_server import find_fork_servers
from logos_testnet.layout import Layout, layout_of
from logos_testnet.processes import find_processes, proportional_bytes, send_signal
from logos_testnet.topology import parse_topology

COPIES: Final = 10
SETTLE_S: Final = 3
PATIENCE_S: Final = 60.0
POLL_S: Final = 0.02
WAYS: Final = ("fork", "exec")
TESTNET_BARS: Final = {"seconds": 4.0, "pss_mb": 450.0}
"""Of `./logos up` of five nodes with storage and mixnet."""
COPIES_BARS: Final = {"seconds": 12.0, "pss_mb": 1400.0}
"""With ten copies of a small module beside them on each node."""
AGAIN_BAR_S: Final = 1.0
"""From kill -9 of a module to READY, its back-off aside."""

PROGRAM: Final = """\
import sys
from contextlib import asynccontextmanager
from logos_module import run

@asynccontextmanager
async def node(context):
    yield

sys.exit(run(node, package=__package__))
"""


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a testnet."""

    seconds: float
    """Of the whole command."""
    ready_s: float
    """Of them, from the first look at what runs to the last node connected, as `up` tells."""
    pss_mb: float
    again_s: float
    """From kill -9 of a module to READY, its back-off aside; the longest of a node's modules."""


def copies(folder: Path, count: int) -> str:
    """Makes packages of a module that serves nothing; returns their part of a topology."""
    names = [f"copy{number}" for number in range(count)]
    for name in names:
        package = folder / name
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(PROGRAM, encoding="utf-8")
        manifest = (
            f'name = "{name}"\nversion = "0.1.0"\ncommand = ["python", "-m", "{name}"]\n'
            'preload = ["logos_module"]\n'
        )
        (package / "module.toml").write_text(manifest, encoding="utf-8")
    return "".join(f'\n[modules.{name}]\npackage = "{name}"\n' for name in names)


def logos(*words: str, variables: Mapping[str, str]) -> str:
    """Runs `./logos`; returns its output."""
    return subprocess.run(
        [ROOT / "logos", *words],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, **variables},
        timeout=900,
        text=True,
    ).stdout


@contextmanager
def started(
    path: Path, variables: Mapping[str, str], *options: str
) -> Iterator[tuple[float, float]]:
    """A testnet of a topology, purged at the end: seconds of the command, and of its start.

    `options` are more of `./logos up`.
    """
    words = ("--topology", str(path))
    began = time.perf_counter()
    try:
        told = logos("up", *words, *options, "--output", "json", variables=variables)
        yield time.perf_counter() - began, float(json.loads(told)["seconds"])
    finally:
        logos("down", *words, "--purge", variables=variables)


def measure(path: Path, way: str, python_path: str) -> Start:
    """Starts a testnet one way, weighs it, and kills each module of its first node once."""
    variables = {"LOGOS_START": way, "PYTHONPATH": python_path}
    name = parse_topology(path.read_text(encoding="utf-8")).name
    layout = layout_of(ROOT / ".logos", name)
    with started(path, variables) as (seconds, ready_s):
        time.sleep(SETTLE_S)
        servers = find_fork_servers(layout.directory)
        pss = proportional_bytes([*find_processes(layout.directory), *servers])
        again = max(killed(layout, module) for module in ("mixnet", "storage"))
    return Start(seconds, ready_s, pss / 1e6, again)


def killed(layout: Layout, module: str) -> float:
    """Seconds from kill -9 of a module of the first node to READY, less its back-off."""
    log = layout.log("node1", "kernel")
    skipped = log.stat().st_size
    processes = find_processes(layout.directory)
    victims = [each for each in processes if (each.node, each.name) == ("node1", module)]
    at = time.time_ns() / 1e9
    send_signal(victims, signal.SIGKILL)
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        states = _states(log, module, skipped)
        if "READY" in states:
            return states["BACKOFF"] - at + states["READY"] - states["STARTING"]
        time.sleep(POLL_S)
    raise TimeoutError(f"{module} is not READY again after {PATIENCE_S} s")


def _states(log: Path, module: str, skipped: int) -> dict[str, float]:
    """When a module entered which state, since a place in its kernel's log."""
    with log.open("rb") as file:
        file.seek(skipped)
        lines = [json.loads(line) for line in file.read().splitlines()]
    found: dict[str, float] = {}
    for line in lines:
        if line["message"] == "module changed" and line["of"] == module:
            found.setdefault(line["state"], datetime.fromisoformat(line["time"]).timestamp())
    return found


def figures_of(
    what: str, starts: Mapping[str, list[Start]], bars: Mapping[str, float]
) -> list[Figure]:
    """Medians of both ways, with the ratio of fork to exec, each round to its own."""
    figures = []
    for field, label, unit, bar in (
        ("seconds", "./logos up", "s", bars["seconds"]),
        ("ready_s", "of it, READY and connected", "s", None),
        ("pss_mb", "PSS of everything", "MB", bars["pss_mb"]),
        ("again_s", "kill -9 to READY, back-off aside", "s", AGAIN_BAR_S),
    ):
        values = {way: [getattr(start, field) for start in starts[way]] for way in WAYS}
        for way in WAYS:
            compared = way == "fork"
            figures.append(
                Figure(
                    f"{what}, {way}: {label}",
                    median(values[way]),
                    unit,
                    at_most=bar if compared else None,
                    ratio=ratio(values["fork"], values["exec"]) if compared else None,
                    yardstick="exec" if compared else "",
                )
            )
    return figures


def main() -> int:
    """Starts both testnets both ways, in turn, several times."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-copies", action="store_true", help="only the plain testnet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = topology(folder)
        text = plain.read_text(encoding="utf-8")
        crowded = folder / "crowded.toml"
        crowded.write_text(text + copies(folder, COPIES), encoding="utf-8")
        kinds = {
            "5 nodes": (plain, TESTNET_BARS),
            "5 nodes, 50 modules more": (crowded, COPIES_BARS),
        }
        if options.without_copies:
            del kinds["5 nodes, 50 modules more"]
        measured: dict[str, dict[str, list[Start]]] = {
            kind: {"fork": [], "exec": []} for kind in kinds
        }
        measure(plain, "fork", name)  # makes or updates what is not warm yet
        for _ in range(options.rounds):
            for kind, (path, _bars) in kinds.items():
                for way in WAYS:
                    say(f"{kind}, {way}")
                    measured[kind][way].append(measure(path, way, name))
    figures = [
        figure
        for kind, (_, bars) in kinds.items()
        for figure in figures_of(kind, measured[kind], bars)
    ]
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
