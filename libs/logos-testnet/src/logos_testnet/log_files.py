"""Reads the newest lines of log files, then follows them through rotations and truncations."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Final

from logos_testnet.testnet import LogLine

MAX_LINE_BYTES: Final = 64 * 1024
"""A longer line is split into several."""
_POLL_S: Final = 0.2

Logs = Sequence[tuple[str, str, Path]]
"""Node, module and path of each log."""


async def read_logs(logs: Callable[[], Logs], *, tail: int, follow: bool) -> AsyncIterator[LogLine]:
    """Reads logs; with `follow` until cancelled.

    Args:
        logs: Returns the logs; called again while following, for new ones.
        tail: Newest lines of each log that exists at the beginning.
        follow: Whether to wait for new lines.
    """
    opened: dict[Path, _Log] = {}
    try:
        for node, module, path in logs():
            opened[path] = _Log(node, module, path)
            opened[path].open_at_tail(tail)
        for log in list(opened.values()):
            for line in log.lines(follow=follow):
                yield line
        while follow:
            await asyncio.sleep(_POLL_S)
            for node, module, path in logs():
                log = opened.setdefault(path, _Log(node, module, path))
                for line in log.lines(follow=True):
                    yield line
    finally:
        for log in opened.values():
            log.close()


class _Log:
    """One log, across its files. Holds one line at a time."""

    def __init__(self, node: str, module: str, path: Path) -> None:
        self._node = node
        self._module = module
        self._path = path
        self._file: BufferedReader | None = None

    def open_at_tail(self, count: int) -> None:
        """Opens the log, if it exists, at its newest `count` lines."""
        self._open()
        if self._file is None:
            return
        starts: deque[int] = deque(maxlen=count)
        at = 0
        while line := self._file.readline(MAX_LINE_BYTES):
            starts.append(at)
            at += len(line)
        self._file.seek(starts[0] if starts else 0)

    def lines(self, *, follow: bool) -> Iterator[LogLine]:
        """Yields new lines. With `follow`, an unfinished line is left for the next call."""
        if self._file is None:
            self._open()
        yield from self._rest(is_over=not follow)
        if follow and self._is_over():
            # Once more: lines may have come before the file was replaced.
            yield from self._rest(is_over=True)
            self._open()
            yield from self._rest(is_over=False)

    def close(self) -> None:
        """Closes the file, if one is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        """Reopens the file at the path: buffers may hold data from before a truncation."""
        self.close()
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return

    def _is_over(self) -> bool:
        """Returns whether the log continues in another file, or was truncated."""
        if self._file is None:
            return False
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False  # rotated; the next file does not exist yet
        held = os.fstat(self._file.fileno())
        return not os.path.samestat(there, held) or held.st_size < self._file.tell()

    def _rest(self, *, is_over: bool) -> Iterator[LogLine]:
        while self._file is not None:
            before = self._file.tell()
            line = self._file.readline(MAX_LINE_BYTES)
            if not line:
                return
            if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES and not is_over:
                self._file.seek(before)
                return
            yield LogLine(self._node, self._module, line.decode("utf-8", "replace").rstrip("\n"))
