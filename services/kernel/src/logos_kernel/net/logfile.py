"""A module's log file: read from its end or from a time on, and rotated (KER-12, KER-42)."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from logos_base.lines import LineCutter

ROTATE_BYTES: Final = 16 * 1024 * 1024
FOLLOW_POLL_S: Final = 0.2
LAST_LINES: Final = 50
LAST_LINE_CHARACTERS: Final = 1000
"""Enough for a refusal with its reason, the file and the way out."""

_BLOCK_BYTES: Final = 64 * 1024
_TIME: Final = re.compile(rb'\{"time": ?"([^"]{10,40})"')
"""How lines begin that have a time (`logos_module.logs`): ISO 8601, in UTC unless it says other."""


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


def seek_time(file: BinaryIO, since_ms: int) -> None:
    """Moves to the first line of a time or a later one, or to the end.

    A line without a time is as old as those before it.
    """
    file.seek(0)
    position = 0
    is_begin = True
    while piece := file.readline(_BLOCK_BYTES):
        if is_begin and (at_ms := _time_of(piece)) is not None and at_ms >= since_ms:
            file.seek(position)
            return
        is_begin = piece.endswith(b"\n")
        position += len(piece)


def _time_of(line: bytes) -> int | None:
    """Returns the time of a line in milliseconds since 1970 UTC; None if it has none."""
    found = _TIME.match(line)
    try:
        moment = datetime.fromisoformat(found[1].decode()) if found else None
    except ValueError:
        return None
    if moment is None:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _seek(file: BinaryIO, tail: int, since_ms: int | None) -> None:
    """Moves to the last `tail` lines, of those from a time on; 0: all of these."""
    position = 0
    if since_ms is not None:
        seek_time(file, since_ms)
        position = file.tell()
    if tail:
        seek_tail(file, tail)
        file.seek(max(position, file.tell()))


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


async def _open_at(path: Path, tail: int, since_ms: int | None, *, follow: bool) -> BinaryIO | None:
    """Opens a log where reading begins; None if there is none, and it is not to be waited for."""
    file = open_for_reading(path)
    if file is not None:
        await asyncio.to_thread(_seek, file, tail, since_ms)
        return file
    return await _wait_for(path) if follow else None


async def _lines_aside(path: Path, since_ms: int | None) -> AsyncIterator[bytes]:
    """Streams the log that was put aside, from a time on; None: nothing of it."""
    file = None
    if since_ms is not None:
        file = open_for_reading(path.with_name(path.name + ".1"))
    if file is None or since_ms is None:
        return
    cutter = LineCutter()
    with file:
        await asyncio.to_thread(seek_time, file, since_ms)
        while block := await asyncio.to_thread(file.read, _BLOCK_BYTES):
            for line in cutter.feed(block):
                yield line
    if rest := cutter.flush():
        yield rest


async def read_lines(
    path: Path, *, tail: int, follow: bool, since_ms: int | None = None
) -> AsyncIterator[bytes]:
    """Streams the last `tail` lines, then new ones if `follow`. Memory stays bounded.

    With `since_ms`, only lines from that time on, in milliseconds since 1970 UTC; also of the
    log that was put aside, unless there is a `tail`.

    Following goes on in the file that replaces a log, from its start; from the start
    of a log that was truncated; and with a log that is not there yet, once it is.
    """
    async for line in _lines_aside(path, None if tail else since_ms):
        yield line
    file = await _open_at(path, tail, since_ms, follow=follow)
    if file is None:
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
