"""Files in and out, against a storage that keeps them in memory."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_cli.transfers import FRAME_BYTES, get_content, put_content
from logos_testnet.client import open_channel


class Memory(storage_pb2_grpc.StorageServicer):
    """Keeps one content; `broken` ends a get in the middle."""

    def __init__(self) -> None:
        self.header = storage_pb2.PutRequest.Header()
        self.frames: list[bytes] = []
        self.broken = False

    async def Put(  # noqa: N802 - a gRPC method
        self, requests: AsyncIterator[storage_pb2.PutRequest], context: object
    ) -> storage_pb2.PutResponse:
        async for request in requests:
            if request.WhichOneof("kind") == "header":
                self.header = request.header
            else:
                self.frames.append(request.data)
        size = sum(map(len, self.frames))
        return storage_pb2.PutResponse(dataset=storage_pb2.Dataset(cid="zX", size_bytes=size))

    async def Get(  # noqa: N802 - a gRPC method
        self,
        request: storage_pb2.GetRequest,
        context: grpc.aio.ServicerContext[storage_pb2.GetRequest, storage_pb2.GetResponse],
    ) -> AsyncIterator[storage_pb2.GetResponse]:
        size = sum(map(len, self.frames))
        yield storage_pb2.GetResponse(dataset=storage_pb2.Dataset(cid="zX", size_bytes=size))
        for frame in self.frames:
            yield storage_pb2.GetResponse(data=frame)
            if self.broken:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")


@pytest.fixture
async def storage() -> AsyncIterator[tuple[Memory, grpc.aio.Channel]]:
    servicer, server = Memory(), grpc.aio.server()
    storage_pb2_grpc.add_StorageServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = open_channel(f"127.0.0.1:{port}")
    yield servicer, channel
    await channel.close()
    await server.stop(0)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


REQUEST = storage_pb2.GetRequest(cid="zX")


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES, 2 * FRAME_BYTES + 1])
async def test_a_file_goes_in_and_comes_out(
    storage: tuple[Memory, grpc.aio.Channel], tmp_path: Path, size: int
) -> None:
    memory, channel = storage
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(os.urandom(size))

    dataset = await put_content(channel, str(source), storage_pb2.PutRequest.Header(filename="in"))
    await get_content(channel, REQUEST, str(target))

    assert (dataset.cid, dataset.size_bytes) == ("zX", size)
    assert (memory.header.filename, memory.header.size_hint_bytes) == ("in", size)
    assert max(map(len, memory.frames), default=0) <= FRAME_BYTES
    assert target.read_bytes() == source.read_bytes()


async def test_a_get_that_breaks_leaves_the_old_file_and_no_half_one(
    storage: tuple[Memory, grpc.aio.Channel], tmp_path: Path
) -> None:
    memory, channel = storage
    memory.frames, memory.broken = [b"half", b"half"], True
    target = tmp_path / "out"
    target.write_bytes(b"old")

    with pytest.raises(grpc.aio.AioRpcError):
        await get_content(channel, REQUEST, str(target))

    assert target.read_bytes() == b"old"
    assert names_in(tmp_path) == ["out"]


async def test_a_new_file_obeys_the_umask(
    storage: tuple[Memory, grpc.aio.Channel], tmp_path: Path
) -> None:
    memory, channel = storage
    memory.frames = [b"x"]
    before = os.umask(0o027)
    try:
        await get_content(channel, REQUEST, str(tmp_path / "out"))
    finally:
        os.umask(before)

    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


async def test_a_pipe_is_written_to_and_not_replaced(
    storage: tuple[Memory, grpc.aio.Channel], tmp_path: Path
) -> None:
    memory, channel = storage
    memory.frames = [b"through a pipe"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(asyncio.to_thread(pipe.read_bytes))
        await asyncio.sleep(0.05)
        tasks.create_task(get_content(channel, REQUEST, str(pipe)))

    assert reading.result() == b"through a pipe"
    assert pipe.is_fifo()
