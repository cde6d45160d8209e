"""Log files read backwards for their newest lines, then followed."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Final

from logos_testnet.testnet import LogLine

MAX_LINE_BYTES: Final = 64 * 1024
_POLL_S: Final = 0.2


def newest_lines(path: Path, count: int) -> list[str]:
    """The newest `count` lines of a file, oldest first; none if there is no file."""
    try:
        with path.open("rb") as file:
            return [_text(line) for line in deque(file, maxlen=count)]
    except FileNotFoundError:
        return []


async def read_logs(
    files: Sequence[tuple[str, str, Path]], *, tail: int, follow: bool
) -> AsyncIterator[LogLine]:
    """Reads logs of (node, module, path); with `follow` until cancelled."""
    opened: list[tuple[str, str, BufferedReader]] = []
    try:
        for node, module, path in files:
            if not path.exists():
                continue
            for line in newest_lines(path, tail):
                yield LogLine(node, module, line)
            file = path.open("rb")
            file.seek(0, 2)
            opened.append((node, module, file))
        while follow:
            for node, module, file in opened:
                for line in _whole_lines(file):
                    yield LogLine(node, module, line)
            await asyncio.sleep(_POLL_S)
    finally:
        for *_, file in opened:
            file.close()


def _whole_lines(file: BufferedReader) -> list[str]:
    """Reads the lines that have come; half a line is left for the next time."""
    lines: list[str] = []
    while True:
        before = file.tell()
        line = file.readline(MAX_LINE_BYTES)
        if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
            file.seek(before)
            return lines
        lines.append(_text(line))


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\n")
