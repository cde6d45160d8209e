"""Log files read for their newest lines, then followed through rotations and truncations."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Final

from logos_testnet.testnet import LogLine

MAX_LINE_BYTES: Final = 64 * 1024
"""A longer line is told as several."""
_POLL_S: Final = 0.2

Logs = Sequence[tuple[str, str, Path]]
"""Node, module and path of each log."""


async def read_logs(logs: Callable[[], Logs], *, tail: int, follow: bool) -> AsyncIterator[LogLine]:
    """Reads logs; with `follow` until cancelled.

    Args:
        logs: Says which; asked again while following, for those that come later.
        tail: Newest lines of each log that is there from the beginning.
        follow: Whether to stay for new lines.
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
    """One log, in whichever file it is now. Holds one line at a time."""

    def __init__(self, node: str, module: str, path: Path) -> None:
        self._node = node
        self._module = module
        self._path = path
        self._file: BufferedReader | None = None

    def open_at_tail(self, count: int) -> None:
        """Opens the log, if it is there, where its newest `count` lines begin."""
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
        """The lines that have come. With `follow`, half a line is left for the next time."""
        if self._file is None:
            self._open()
        yield from self._rest(is_over=not follow)
        if follow and self._is_over():
            # Once more: lines may have come before it was over.
            yield from self._rest(is_over=True)
            self._open()
            yield from self._rest(is_over=False)

    def close(self) -> None:
        """Closes the file, if one is open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        """Opens the file that is at the path now; anew, since a buffer may hold what was."""
        self.close()
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return

    def _is_over(self) -> bool:
        """Whether the log goes on in another file, or was truncated and begins again."""
        if self._file is None:
            return False
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False  # put aside; the next one is not there yet
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
