import subprocess
import sys

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
