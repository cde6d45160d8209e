"""A module's log file: rotated at its starts, read from its end (KER-12)."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO, Final

MAX_LINE_BYTES: Final = 64 * 1024
ROTATE_BYTES: Final = 16 * 1024 * 1024
FOLLOW_POLL_S: Final = 0.2
LAST_LINES: Final = 50
LAST_LINE_CHARACTERS: Final = 1000
"""Enough for a refusal with its reason, the file and the way out."""

_BLOCK_BYTES: Final = 64 * 1024


def open_for_append(path: Path) -> int:
    """Opens a log for a new process, and puts a large one aside as `<name>.1`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > ROTATE_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def last_lines(path: Path) -> tuple[str, ...]:
    """Returns the last 50 lines that are not empty, each cut to 1000 characters; oldest first."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LAST_LINES * LAST_LINE_CHARACTERS))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:  # not there, or not readable: the end of the module is reported all the same
        return ()
    filled = [line.strip() for line in lines if line.strip()]
    return tuple(line[:LAST_LINE_CHARACTERS] for line in filled[-LAST_LINES:])


def seek_tail(file: BinaryIO, lines: int) -> None:
    """Moves to where the last `lines` lines begin, reading blocks from the end."""
    position = file.seek(0, os.SEEK_END)
    wanted = lines + 1  # the line feed before the first of them
    is_last = True
    while position > 0:
        size = min(_BLOCK_BYTES, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        if is_last and not block.endswith(b"\n"):
            wanted -= 1
        is_last = False
        found = block.count(b"\n")
        if found < wanted:
            wanted -= found
            continue
        at = len(block)
        for _ in range(wanted):
            at = block.rindex(b"\n", 0, at)
        file.seek(position + at + 1)
        return
    file.seek(0)


class LineCutter:
    """Bytes to lines without their line feeds; what exceeds 64 KiB of a line is dropped."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Takes the next bytes; yields the lines that they complete."""
        *ends, rest = block.split(b"\n")
        for end in ends:
            self._add(end)
            yield self.flush()
        self._add(rest)

    def flush(self) -> bytes:
        """Returns the line begun, as it stands."""
        line = bytes(self._begun)
        self._begun.clear()
        return line

    def _add(self, part: bytes) -> None:
        self._begun += part[: MAX_LINE_BYTES - len(self._begun)]


def open_for_reading(path: Path) -> BinaryIO | None:
    """Opens a log; None if nothing was logged yet."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def has_ended(path: Path, file: BinaryIO) -> bool:
    """Says whether nothing more comes in the open file: the log was replaced or truncated."""
    opened = os.fstat(file.fileno())
    try:
        is_replaced = not os.path.samestat(path.stat(), opened)
    except FileNotFoundError:
        return False  # put aside; the next one is not there yet
    return is_replaced or opened.st_size < file.tell()


async def _wait_for(path: Path) -> BinaryIO:
    while (file := open_for_reading(path)) is None:  # noqa: ASYNC110 -- made by another process
        await asyncio.sleep(FOLLOW_POLL_S)
    return file


async def read_lines(path: Path, *, tail: int, follow: bool) -> AsyncIterator[bytes]:
    """Streams the last `tail` lines, then new ones if `follow`. Memory stays bounded.

    Following goes on in the file that replaces a log, from its start; from the start
    of a log that was truncated; and with a log that is not there yet, once it is.
    """
    file = open_for_reading(path)
    if file is not None:
        await asyncio.to_thread(seek_tail, file, tail)
    elif follow:
        file = await _wait_for(path)
    else:
        return
    cutter = LineCutter()
    is_over = not follow
    try:
        while True:
            while block := await asyncio.to_thread(file.read, _BLOCK_BYTES):
                for line in cutter.feed(block):
                    yield line
            if is_over and (rest := cutter.flush()):
                yield rest
            if not follow:
                return
            if is_over and (newer := open_for_reading(path)) is not None:
                # Opened anew after a truncation too: a buffer may hold what stood there.
                file.close()
                file, is_over = newer, False
            elif has_ended(path, file):
                is_over = True  # and read to its end once more: lines may have come until then
            else:
                await asyncio.sleep(FOLLOW_POLL_S)
    finally:
        file.close()
