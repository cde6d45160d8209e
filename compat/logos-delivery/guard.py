"""Ends the nodes of a program that has ended, however it did: `python guard.py` reads its pids.

Lines on standard input are `+PID` of a process to watch over, and `-PID` of one that has ended.
Their end is the end of the program.
"""

import os
import signal
import sys
import time
from typing import Final

GRACE_S: Final = 60.0
"""A kernel ends its modules, which would live on if it were killed."""
POLL_S: Final = 0.1


def main() -> None:
    """Reads until the end, then ends what is left."""
    pids: list[int] = []
    for line in sys.stdin:
        pid = int(line[1:])
        if line.startswith("+"):
            pids.append(pid)
        elif pid in pids:
            pids.remove(pid)
    until = time.monotonic() + GRACE_S
    for pid in pids:  # in the order of their start: nodes come after what they are forked from
        _signal(pid, signal.SIGTERM)
    while time.monotonic() < until and any(_signal(pid, 0) for pid in pids):
        time.sleep(POLL_S)
    for pid in pids:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
