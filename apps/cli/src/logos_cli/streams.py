"""stdin, stdout and stderr, which may be closed, full, or without a reader."""

import io
import os
import select
import sys
from typing import Any, Final

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
_NAMES: Final = ("stdin", "stdout", "stderr")

_closed: Final[set[int]] = set()
"""Which of them were closed when the program began."""


class ReaderGoneError(Exception):
    """The reader of our output has closed it (`… | head`): not a failure.

    Not an OSError: libraries take those for their own, and exit with 1.
    """


def prepare() -> None:
    """Makes the standard streams safe to use, before anything else is opened.

    The number of a closed one is held by what can neither be read nor written in its
    place, so that no file or socket gets it, and its use is an error. Printing never fails
    for its characters. stderr never fails: there is nowhere to say so.
    """
    for number in range(len(_NAMES)):
        try:
            os.fstat(number)
        except OSError:
            wrong_way = os.O_WRONLY if number == STDIN else os.O_RDONLY
            os.open(os.devnull, wrong_way)  # the lowest number that is free: this one
            os.set_inheritable(number, True)
            _closed.add(number)
    sys.stdout = _text(STDOUT, getattr(sys.stdout, "encoding", "utf-8"))
    sys.stderr = _text(STDERR, getattr(sys.stderr, "encoding", "utf-8"))


def was_closed(number: int) -> bool:
    """Whether a standard stream was closed when the program began (`>&-`)."""
    return number in _closed


def reader_is_gone() -> bool:
    """Whether stdout is a pipe whose reader has closed it."""
    poll = select.poll()
    poll.register(STDOUT, 0)  # errors are told unasked
    return any(events & select.POLLERR for _, events in poll.poll(0))


class _Descriptor(io.RawIOBase):
    """A standard stream as the bottom of `sys.stdout` or `sys.stderr`."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.name = f"<{_NAMES[number]}>"
        self._number = number
        self._failed = False

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]  # any buffer
        """Writes some of it. After a failure, which was told, nothing is tried again."""
        if self._failed:
            return len(data)
        try:
            return self._write(data)
        except OSError as error:
            self._failed = True
            if self._number == STDERR:
                return len(data)
            if isinstance(error, BrokenPipeError):
                raise ReaderGoneError from None
            error.filename = _NAMES[self._number]
            raise

    def _write(self, data: bytes | memoryview) -> int:
        while True:
            try:
                return os.write(self._number, data)
            except BlockingIOError:  # its other end may have made it non-blocking
                select.select([], [self._number], [])


def _text(number: int, encoding: str) -> io.TextIOWrapper:
    raw: Any = _Descriptor(number)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=number == STDERR or raw.isatty(),
    )
