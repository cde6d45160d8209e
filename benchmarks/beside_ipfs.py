"""Put and get of files by command line, beside kubo's `ipfs add` and `ipfs get`.

Two nodes of each on loopback, with their daemons running. A round writes a new file, adds it
on one node and gets it on the other, and compares what came. Both tools go first in turn.

`--ipfs` names the program; it is not part of this repository.
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.report import Figure, publish, ratio, say
from benchmarks.running import ROOT, Running, running
from benchmarks.yardsticks import MIB

READY: Final = "Daemon is ready"
PORTS: Final = (53700, 53710)
"""Of the two daemons: swarm, and API and gateway after it."""


class Kubo:
    """Two connected nodes of kubo in folders of their own."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folders = [folder / "ipfs-a", folder / "ipfs-b"]

    @contextmanager
    def running(self) -> Iterator["Kubo"]:
        """Runs both daemons."""
        with ExitStack() as stack:
            for folder, port in zip(self._folders, PORTS, strict=True):
                self._configure(folder, port)
                stack.enter_context(self._daemon(folder))
            peer = json.loads(self._run(1, "id"))["ID"]
            self._run(0, "swarm", "connect", f"/ip4/127.0.0.1/tcp/{PORTS[1]}/p2p/{peer}")
            yield self

    def put(self, file: Path) -> str:
        """Adds a file on the first node; returns its CID."""
        return self._run(0, "add", "--quieter", "--progress=false", str(file)).strip()

    def get(self, cid: str, output: Path) -> None:
        """Gets it on the second."""
        self._run(1, "get", "--progress=false", "--output", str(output), cid)

    def _configure(self, folder: Path, port: int) -> None:
        self._run_in(folder, "init", "--profile", "test", "--empty-repo")
        config = json.loads((folder / "config").read_text())
        config["Addresses"] = {
            "Swarm": [f"/ip4/127.0.0.1/tcp/{port}"],
            "API": f"/ip4/127.0.0.1/tcp/{port + 1}",
            "Gateway": f"/ip4/127.0.0.1/tcp/{port + 2}",
        }
        (folder / "config").write_text(json.dumps(config))

    @contextmanager
    def _daemon(self, folder: Path) -> Iterator[None]:
        environment = {**os.environ, "IPFS_PATH": str(folder)}
        with (folder / "daemon.log").open("w+") as log:
            process = subprocess.Popen(
                [self._program, "daemon"], env=environment, stdout=log, stderr=log
            )
            try:
                _wait(lambda: READY in (folder / "daemon.log").read_text(), process)
                yield
            finally:
                process.terminate()
                process.wait()

    def _run(self, node: int, *arguments: str) -> str:
        return self._run_in(self._folders[node], *arguments)

    def _run_in(self, folder: Path, *arguments: str) -> str:
        environment = {**os.environ, "IPFS_PATH": str(folder)}
        command = [self._program, *arguments]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return done.stdout


class Ours:
    """Two nodes of a testnet, through the command line."""

    def __init__(self, net: Running) -> None:
        self._addresses = [node.front for node in net.plan.nodes]
        self._variables = net.variables

    def put(self, file: Path) -> str:
        """Puts a file on the first node; returns its CID."""
        return self._run(0, "put", str(file)).strip()

    def get(self, cid: str, output: Path) -> None:
        """Gets it on the second."""
        self._run(1, "get", cid, "--output-file", str(output))

    def _run(self, node: int, *arguments: str) -> str:
        command = [ROOT / "logos", "ctl", "--address", self._addresses[node], "storage", *arguments]
        done = subprocess.run(
            command, check=True, env=self._variables, stdout=subprocess.PIPE, text=True
        )
        return done.stdout


def _wait(is_so: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not is_so():
        if process.poll() is not None:
            raise SystemExit("the daemon of ipfs has ended; its log is in its folder")
        time.sleep(0.1)


def timed(tool: Kubo | Ours, file: Path, folder: Path) -> tuple[float, float]:
    """Seconds of a put and of a get."""
    copy = folder / "copy"
    os.sync()
    start = time.perf_counter()
    cid = tool.put(file)
    between = time.perf_counter()
    tool.get(cid, copy)
    end = time.perf_counter()
    if subprocess.run(["cmp", file, copy], check=False).returncode:
        raise SystemExit("the copy is not the same")
    copy.unlink()
    return between - start, end - between


def measure(kubo: Kubo, ours: Ours, folder: Path, mib: int, rounds: int) -> list[Figure]:
    """Figures for one size."""
    puts: dict[str, list[float]] = {"kubo": [], "ours": []}
    gets: dict[str, list[float]] = {"kubo": [], "ours": []}
    tools: list[tuple[str, Kubo | Ours]] = [("kubo", kubo), ("ours", ours)]
    for number in range(rounds):
        say(f"{mib} MiB, round {number + 1} of {rounds}")
        for name, tool in tools if number % 2 else reversed(tools):
            file = folder / "file"
            with file.open("wb") as target:
                for _ in range(mib):
                    target.write(secrets.token_bytes(MIB))
            put_s, get_s = timed(tool, file, folder)
            puts[name].append(put_s)
            gets[name].append(get_s)
    return [
        Figure(
            f"{what} {mib} MiB by command line",
            median(times["ours"]),
            "s",
            ratio=ratio(times["ours"], times["kubo"]),
            yardstick=f"ipfs {median(times['kubo']):.2f} s",
        )
        for what, times in (("put", puts), ("get", gets))
    ]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ipfs", required=True, help="kubo's program")
    parser.add_argument("--mib", type=int, nargs="+", default=[64, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    program = shutil.which(told.ipfs)
    if program is None:
        raise SystemExit(f"no program {told.ipfs}")
    with tempfile.TemporaryDirectory(dir=ROOT / ".logos") as name:
        folder = Path(name)
        async with running(2) as net:
            with Kubo(program, folder).running() as kubo:
                figures = [
                    figure
                    for mib in told.mib
                    for figure in await asyncio.to_thread(
                        measure, kubo, Ours(net), folder, mib, told.rounds
                    )
                ]
    publish(figures, as_json=told.json)


if __name__ == "__main__":
    asyncio.run(main())
