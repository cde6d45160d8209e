"""DHT-22: what ends the nodes of a program that has ended."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

GUARD = Path(__file__).parents[2] / "compat" / "logos-delivery" / "guard.py"
Program = subprocess.Popen[bytes]


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """Programs that run until they are ended."""
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    for one in started:
        assert one.stdout is not None
        one.stdout.readline()
    yield started
    for one in started:
        one.kill()
        one.communicate()


def test_what_it_was_told_of_is_ended_with_its_input(programs: list[Program]) -> None:
    watched, ended = programs
    guard = subprocess.Popen([sys.executable, "-I", "-S", str(GUARD)], stdin=subprocess.PIPE)
    lines = f"+{watched.pid}\n+{ended.pid}\n-{ended.pid}\n-{ended.pid}\n"
    assert guard.stdin is not None
    guard.stdin.write(lines.encode())
    guard.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        watched.wait(0.3)
    guard.stdin.close()
    assert watched.wait(30) == -signal.SIGTERM
    assert guard.wait(30) == 0
    assert ended.poll() is None
