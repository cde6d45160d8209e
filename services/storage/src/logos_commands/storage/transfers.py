"""Files in and out of a node: 1 MiB frames, progress on stderr."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import grpc

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_cli import descriptors
from logos_cli.outputs import output_to

FRAME_BYTES: Final = 1024 * 1024


async def put_content(
    channel: grpc.aio.Channel, file: str, header: storage_pb2.PutRequest.Header
) -> storage_pb2.Dataset:
    """Stores a file, or stdin for `-`.

    Raises:
        OSError: It cannot be read; nothing is stored.
    """
    with _source(file) as (name, descriptor), progress_bar(f"put {file}") as bar:
        size = _size_of(descriptor)
        header.size_hint_bytes = size or 0
        bar.expect(size)

        async def frames() -> AsyncIterator[bytes]:
            with descriptors.named(name):
                async for frame in descriptors.read_frames(descriptor, FRAME_BYTES):
                    yield frame
                    bar.advance(len(frame))

        return await _put(channel, header, frames())


async def get_content(
    channel: grpc.aio.Channel, request: storage_pb2.GetRequest, file: str
) -> storage_pb2.Dataset:
    """Fetches content into a file, or to stdout for `-`.

    Raises:
        OSError: It cannot be written.
    """
    dataset = storage_pb2.Dataset()
    async with output_to(file) as output:
        with progress_bar(f"get {request.cid[:16]}…") as bar:
            async for response in storage_pb2_grpc.StorageStub(channel).Get(request):
                if response.WhichOneof("kind") == "dataset":
                    dataset = response.dataset
                    bar.expect(_expected(dataset.size_bytes, request))
                else:
                    await output.write(response.data)
                    bar.advance(len(response.data))
    return dataset


async def _put(
    channel: grpc.aio.Channel,
    header: storage_pb2.PutRequest.Header,
    frames: AsyncIterator[bytes],
) -> storage_pb2.Dataset:
    """Sends frames as they come; stops when the call ends, even if more would come."""
    call = storage_pb2_grpc.StorageStub(channel).Put()
    try:
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(_send(call, header, frames))
            await call.code()
            sending.cancel()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    finally:
        call.cancel()
    return (await call).dataset


async def _send(
    call: grpc.aio.StreamUnaryCall[storage_pb2.PutRequest, storage_pb2.PutResponse],
    header: storage_pb2.PutRequest.Header,
    frames: AsyncIterator[bytes],
) -> None:
    try:
        await call.write(storage_pb2.PutRequest(header=header))
        async for frame in frames:
            await call.write(storage_pb2.PutRequest(data=frame))
        await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return  # the call has ended; awaiting it raises the reason


def _expected(size: int, request: storage_pb2.GetRequest) -> int:
    rest = max(0, size - request.offset)
    return min(rest, request.length) if request.length else rest


class Bar(Protocol):
    """Shows the progress of a transfer."""

    def expect(self, size: int | None) -> None:
        """Sets the total in bytes, if it is known."""

    def advance(self, size: int) -> None:
        """Counts bytes that were transferred."""


class _NoBar(Bar):
    def expect(self, size: int | None) -> None:
        """Shows nothing."""

    def advance(self, size: int) -> None:
        """Shows nothing."""


@contextmanager
def progress_bar(text: str) -> Iterator[Bar]:
    """A progress bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield _NoBar()
        return
    from logos_cli.progress import transferring  # noqa: PLC0415 - it takes long to import

    with transferring(text) as bar:
        yield bar


@contextmanager
def _source(file: str) -> Iterator[tuple[str, int]]:
    """The name for messages and the descriptor of what is read."""
    if file == "-":
        name = "standard input"
        shared = descriptors.standard(sys.stdin, name)
        with descriptors.not_blocking(shared, os.O_RDONLY) as stdin:
            yield name, stdin
        return
    with descriptors.opened_to_read(file) as descriptor:
        yield file, descriptor


def _size_of(descriptor: int) -> int | None:
    """The bytes that are left to read of a regular file: a pipe has no size yet."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return None
    return max(0, status.st_size - os.lseek(descriptor, 0, os.SEEK_CUR))
