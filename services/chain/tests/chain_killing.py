"""Kills processes that write to a store, at random times, and hears what they were told."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

KILLS = int(os.environ.get("LOGOS_CHAIN_KILLS") or 20)
LONGEST_MS = 400
"""From the fork of a writer; it opens the store within some tens of them."""


@dataclass
class Writers:
    """A process that forks a writer for each line that it is sent."""

    commands: IO[str]
    lines: IO[str]

    def kill_one(self, hear: Callable[[str], None]) -> None:
        """Has one write, kills it, and passes on what it told."""
        self.commands.write("go\n")
        self.commands.flush()
        writer, is_ready = 0, False
        while not (writer and is_ready):
            heard = self.lines.readline().strip()
            if heard.startswith("writer"):
                writer = int(heard.split()[1])
            elif heard == "ready":
                is_ready = True
            else:
                hear(heard)
        time.sleep(secrets.randbelow(LONGEST_MS) / 1000)
        os.kill(writer, signal.SIGKILL)
        while (heard := self.lines.readline().strip()) != "ended":
            assert heard
            hear(heard)


@contextmanager
def writers(script: str, place: Path) -> Iterator[Writers]:
    """Runs a script of this folder: `chain_store_writer.py` and the like."""
    folder = Path(__file__).parent
    path = os.pathsep.join([str(folder), *sys.path])
    process = subprocess.Popen(
        [sys.executable, folder / script, place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Writers(process.stdin, process.stdout)
        process.stdin.close()
