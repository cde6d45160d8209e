"""The standard streams, which may be closed, full, or without a reader."""

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
"""The standard streams that were closed at the program's start."""


class ReaderGoneError(Exception):
    """The reader of our output has closed it (`… | head`): not a failure.

    Not an OSError: libraries catch those, and exit with 1.
    """


def prepare() -> None:
    """Makes the standard streams safe to use, before anything else is opened.

    The number of a closed stream is taken by a descriptor that cannot be used in its place, so
    that no file or socket gets the number, and using it is an error. Printing never fails
    because of an encoding. Writing to stderr never fails: the error could not be reported.
    """
    for number in range(len(_NAMES)):
        try:
            os.fstat(number)
        except OSError:
            wrong_way = os.O_WRONLY if number == STDIN else os.O_RDONLY
            os.open(os.devnull, wrong_way)  # gets the lowest free number, which is this one
            os.set_inheritable(number, True)
            _closed.add(number)
    sys.stdout = _text(STDOUT, getattr(sys.stdout, "encoding", "utf-8"))
    sys.stderr = _text(STDERR, getattr(sys.stderr, "encoding", "utf-8"))


def was_closed(number: int) -> bool:
    """Returns whether a standard stream was closed at the program's start (`>&-`)."""
    return number in _closed


def reader_is_gone() -> bool:
    """Returns whether stdout is a pipe whose reader has closed it."""
    poll = select.poll()
    poll.register(STDOUT, 0)  # poll always reports errors
    return any(events & select.POLLERR for _, events in poll.poll(0))


class _Descriptor(io.RawIOBase):
    """The raw stream of `sys.stdout` or `sys.stderr`."""

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
        """Writes some bytes. After a failure, which was raised once, it discards all."""
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
            except BlockingIOError:  # another process may have set O_NONBLOCK
                select.select([], [self._number], [])


def _text(number: int, encoding: str) -> io.TextIOWrapper:
    raw: Any = _Descriptor(number)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=number == STDERR or raw.isatty(),
    )
