"""A stream that is not ready is waited for, and keeps nothing else from running."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from logos_cli import descriptors

CONTENT = os.urandom(1_000_000)
"""More than a pipe or a socket holds."""


def pipe() -> tuple[int, int]:
    return os.pipe()


def sockets() -> tuple[int, int]:
    reading, writing = socket.socketpair()
    return reading.detach(), writing.detach()


@pytest.mark.parametrize("ends", [pipe, sockets])
@pytest.mark.parametrize("blocking", [True, False])
async def test_written_bytes_are_read_and_other_tasks_are_not_blocked(
    ends: Callable[[], tuple[int, int]], *, blocking: bool
) -> None:
    reading, writing = ends()
    os.set_blocking(reading, blocking)
    os.set_blocking(writing, blocking)

    async def write() -> None:
        await descriptors.write_all(writing, CONTENT)
        os.close(writing)

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        frames = [frame async for frame in descriptors.read_frames(reading, 300_000)]
    os.close(reading)

    assert b"".join(frames) == CONTENT
    assert [len(frame) for frame in frames] == [300_000, 300_000, 300_000, 100_000]


async def test_a_pipe_that_is_opened_anew_has_flags_of_its_own() -> None:
    reading, writing = os.pipe()

    with descriptors.not_blocking(writing, os.O_WRONLY) as own:
        assert (os.get_blocking(own), os.get_blocking(writing)) == (False, True)
        await descriptors.write_all(own, b"through both")

    os.close(writing)
    assert os.read(reading, 100) == b"through both"
    os.close(reading)


async def test_a_line_that_a_terminal_has_dropped_is_not_waited_for() -> None:
    keyboard, terminal = os.openpty()

    with descriptors.not_blocking(terminal, os.O_RDONLY) as own:
        assert (os.get_blocking(own), os.get_blocking(terminal)) == (False, True)
        with pytest.raises(BlockingIOError):
            os.read(own, 100)

    os.close(keyboard)
    os.close(terminal)


async def test_a_named_pipe_whose_writer_has_left_has_an_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    (tmp_path / "pipe").write_bytes(b"all")

    with descriptors.not_blocking(reading, os.O_RDONLY) as own:
        async with asyncio.timeout(60):
            frames = [frame async for frame in descriptors.read_frames(own, 100)]

    os.close(reading)
    assert frames == [b"all"]
