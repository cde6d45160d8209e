"""Files in and out of a node: 1 MiB frames, progress on stderr, no half file ever."""

import asyncio
import os
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import grpc
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_cli.console import stderr

FRAME_BYTES: Final = 1024 * 1024


async def put_content(
    channel: grpc.aio.Channel, file: str, header: storage_pb2.PutRequest.Header
) -> storage_pb2.Dataset:
    """Stores a file, or stdin for `-`."""
    with _source(file) as source, _bar(f"put {file}") as bar:
        size = _size_of(source)
        header.size_hint_bytes = size or 0
        task = bar.add_task("put", total=size)

        async def requests() -> AsyncIterator[storage_pb2.PutRequest]:
            yield storage_pb2.PutRequest(header=header)
            while frame := await _read(source, is_file=size is not None):
                yield storage_pb2.PutRequest(data=frame)
                bar.advance(task, len(frame))

        response = await storage_pb2_grpc.StorageStub(channel).Put(requests())
    return response.dataset


async def get_content(
    channel: grpc.aio.Channel, request: storage_pb2.GetRequest, file: str
) -> storage_pb2.Dataset:
    """Fetches content into a file, or to stdout for `-`.

    The file appears whole or not at all: what comes is written beside it, synced
    and renamed.
    """
    dataset = storage_pb2.Dataset()
    with _bar(f"get {request.cid[:16]}…") as bar, _sink(file) as sink:
        task = bar.add_task("get", total=None)
        async for response in storage_pb2_grpc.StorageStub(channel).Get(request):
            if response.WhichOneof("kind") == "dataset":
                dataset = response.dataset
                bar.update(task, total=_expected(dataset.size_bytes, request))
            else:
                sink.write(response.data)
                bar.advance(task, len(response.data))
    return dataset


async def _read(source: IO[bytes], *, is_file: bool) -> bytes:
    """Reads the next frame; a pipe may block, and then the connection must stay alive."""
    return (
        source.read(FRAME_BYTES) if is_file else await asyncio.to_thread(source.read, FRAME_BYTES)
    )


def _expected(size: int, request: storage_pb2.GetRequest) -> int:
    rest = max(0, size - request.offset)
    return min(rest, request.length) if request.length else rest


@contextmanager
def _bar(text: str) -> Iterator[Progress]:
    """A progress bar on a terminal; nothing elsewhere."""
    progress = Progress(
        TextColumn(text, markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=stderr,
        disable=not stderr.is_terminal,
        transient=True,
    )
    with progress:
        yield progress


@contextmanager
def _source(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with Path(file).open("rb", buffering=0) as source:
        yield source


def _size_of(source: IO[bytes]) -> int | None:
    """The size if it is a regular file: a pipe has none yet."""
    status = os.fstat(source.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


@contextmanager
def _sink(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(file)
    if target.exists() and not target.is_file():
        with target.open("wb") as device:  # a pipe or /dev/null cannot be replaced
            yield device
        return
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        partial.chmod(0o666 & ~_umask())
        partial.replace(target)
        _sync_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def _umask() -> int:
    """The process's mask can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """A rename lasts once its folder is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
