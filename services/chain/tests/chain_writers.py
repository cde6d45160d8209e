"""What processes that write until they are killed have in common."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any


def say(text: str) -> None:
    """A line of a pipe, whole or not at all."""
    os.write(1, f"{text}\n".encode())


def forked(write: Callable[[Path], Coroutine[Any, Any, None]]) -> None:
    """For each line that it is sent forks one writer, tells its id, and when it has ended."""
    for _ in sys.stdin:
        writer = os.fork()
        if not writer:
            say("ready")
            asyncio.run(write(Path(sys.argv[1])))
        say(f"writer {writer}")
        os.waitpid(writer, 0)
        say("ended")
