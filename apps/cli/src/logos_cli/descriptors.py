"""Reads and writes of files, pipes, sockets and terminals that never block the event loop.

A thread that blocks in a read cannot be cancelled, and O_NONBLOCK would be set for every process
that shares a standard stream. So descriptors that may block are polled, and read or written only
when they are ready, whether or not they are non-blocking.
"""

import asyncio
import errno
import os
import select
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from logos_cli import streams

_POLL_S: Final = 0.1


@contextmanager
def named(name: str) -> Iterator[None]:
    """Adds the file's name to an `OSError` of the body: errors of descriptors have none."""
    try:
        yield
    except OSError as error:
        error.filename = name
        raise


def standard(stream: TextIO | None, name: str) -> int:
    """Returns the descriptor of a standard stream.

    Args:
        stream: `sys.stdin` or `sys.stdout`.
        name: For the message.

    Raises:
        OSError: EBADF: it was closed at the start (`<&-`).
    """
    if stream is None or streams.was_closed(stream.fileno()):
        raise OSError(errno.EBADF, "is closed", name)
    return stream.fileno()


async def read_frames(descriptor: int, size: int) -> AsyncIterator[bytes]:
    """Reads to the end, in frames of `size` bytes; only the last may be shorter."""
    frame = bytearray()
    while block := await read_some(descriptor, size - len(frame)):
        frame += block
        if len(frame) == size:
            yield bytes(frame)
            frame.clear()
    if frame:
        yield bytes(frame)


async def read_some(descriptor: int, size: int) -> bytes:
    """Reads 1 to `size` bytes as soon as some are available; none at the end."""
    while True:
        await _ready(descriptor, select.POLLIN)
        try:
            return os.read(descriptor, size)
        except BlockingIOError:
            await asyncio.sleep(_POLL_S)  # another reader took it, or Ctrl-C dropped it


async def write_all(descriptor: int, data: bytes) -> None:
    """Writes all bytes, at the speed of the reader."""
    # A ready pipe, socket or terminal in blocking mode accepts only PIPE_BUF bytes for sure.
    may_block = os.get_blocking(descriptor) and not stat.S_ISREG(os.fstat(descriptor).st_mode)
    step = select.PIPE_BUF if may_block else len(data)
    rest = memoryview(data)
    while rest:
        await _ready(descriptor, select.POLLOUT)
        try:
            rest = rest[os.write(descriptor, rest[:step]) :]
        except BlockingIOError:
            await asyncio.sleep(_POLL_S)  # another writer was faster


@contextmanager
def not_blocking(descriptor: int, access: int) -> Iterator[int]:
    """Opens a standard stream again, to set O_NONBLOCK for this process only.

    On a terminal, Ctrl-C drops a line that was ready, and a blocking read would wait for the
    next. On a pipe, writes are several times as fast as PIPE_BUF at a time. Other files, and
    those that cannot be opened, are returned unchanged. So are pipes to read from: opened after
    their last writer has left, they would never end.

    Args:
        descriptor: Of a standard stream.
        access: `os.O_RDONLY` or `os.O_WRONLY`.
    """
    is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    again = descriptor
    if os.isatty(descriptor) or (is_pipe and access == os.O_WRONLY):
        with suppress(OSError):
            flags = access | os.O_NONBLOCK | os.O_NOCTTY
            again = os.open(f"/proc/self/fd/{descriptor}", flags)
    try:
        yield again
    finally:
        if again != descriptor:
            os.close(again)


@contextmanager
def opened_to_read(file: str) -> Iterator[int]:
    """Opens a file to read; does not block on a pipe that has no writer yet.

    Raises:
        OSError: It cannot be opened, or is a folder.
    """
    # Without O_NONBLOCK, the call blocks on a pipe without a writer.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), file)
        yield descriptor
    finally:
        os.close(descriptor)


@asynccontextmanager
async def opened_to_write(device: str) -> AsyncIterator[int]:
    """Opens a device, or a pipe as soon as it has a reader.

    Raises:
        OSError: It cannot be opened.
    """
    # There is no event for a pipe's first reader.
    while (descriptor := _open_device(device)) is None:  # noqa: ASYNC110
        await asyncio.sleep(_POLL_S)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open_device(device: str) -> int | None:
    """Opens a device or a pipe; None if it is a pipe without a reader yet."""
    try:
        return os.open(device, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno == errno.ENXIO and Path(device).is_fifo():
            return None
        raise


async def _ready(descriptor: int, event: int) -> None:
    """Waits for POLLIN or POLLOUT. Files, which cannot be polled, are always ready."""
    poll = select.poll()
    poll.register(descriptor, event)
    if poll.poll(0):
        return
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    is_input = event == select.POLLIN
    (loop.add_reader if is_input else loop.add_writer)(descriptor, _set, ready)
    try:
        await ready
    finally:
        (loop.remove_reader if is_input else loop.remove_writer)(descriptor)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
