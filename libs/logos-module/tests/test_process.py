import subprocess
import sys

import pytest

SCRIPT = """
import resource
from logos_module.process import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(200):
        bytearray(1 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

import ctypes, sys
ctypes.CDLL(None).mallopt(-3, 128 * 1024)  # no dynamic adjustment: what a fresh process has
before = faults()
if not keep_freed_memory():
    sys.exit("no mallopt")
faults()
print(before, faults())
"""


def test_large_buffers_are_not_faulted_in_again_and_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )

    before, after = map(int, done.stdout.split())
    assert before > 10_000
    assert after < before / 10


RELEASED = """
from pathlib import Path
from logos_module.process import keep_freed_memory, release_freed_memory

def resident_mib():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) >> 10

keep_freed_memory()
many = [bytearray(1 << 20) for _ in range(48)]
stays = bytearray(1 << 16)
del many
kept = resident_mib()
print(release_freed_memory(), kept - resident_mib())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_freed_memory_is_given_back_when_that_is_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RELEASED], capture_output=True, text=True, check=True
    )

    released, mib = done.stdout.split()
    assert released == "True"
    assert int(mib) >= 40


STOPPED = """
import asyncio
import os
import signal
from logos_module.process import STOPPING, stopping_signals

signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
os.kill(os.getpid(), signal.SIGTERM)

async def run():
    end = asyncio.Event()
    with stopping_signals(end.set):
        await end.wait()
    print("stopped")

asyncio.run(run())
"""


def test_a_stop_that_came_before_signals_were_taken_is_obeyed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "stopped\n"
