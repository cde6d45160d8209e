"""Files in and out, against a storage that keeps them in memory."""

import asyncio
import errno
import fcntl
import os
import signal
import sys
import termios
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_client.channels import open_channel
from logos_commands.storage.transfers import FRAME_BYTES, get_content, put_content

PATIENCE_S = 60


class Memory(storage_pb2_grpc.StorageServicer):
    """Keeps one content; `broken` ends a get in the middle, `stalled` leaves it there."""

    def __init__(self) -> None:
        self.address = ""
        self.header: storage_pb2.PutRequest.Header | None = None
        self.frames: list[bytes] = []
        self.is_stored = False
        self.broken = False
        self.stalled = False
        self.is_stalling = False
        self.refusing = False

    async def Put(  # noqa: N802 - a gRPC method
        self,
        requests: AsyncIterator[storage_pb2.PutRequest],
        context: grpc.aio.ServicerContext[storage_pb2.PutRequest, storage_pb2.PutResponse],
    ) -> storage_pb2.PutResponse:
        async for request in requests:
            if request.WhichOneof("kind") == "header":
                self.header = request.header
                if self.refusing:
                    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
            else:
                self.frames.append(request.data)
        await context.read()  # a call that was cancelled reads an end first, and ends here
        self.is_stored = True
        size = sum(map(len, self.frames))
        return storage_pb2.PutResponse(dataset=storage_pb2.Dataset(cid="zX", size_bytes=size))

    async def Get(  # noqa: N802 - a gRPC method
        self,
        request: storage_pb2.GetRequest,
        context: grpc.aio.ServicerContext[storage_pb2.GetRequest, storage_pb2.GetResponse],
    ) -> AsyncIterator[storage_pb2.GetResponse]:
        size = sum(map(len, self.frames))
        yield storage_pb2.GetResponse(dataset=storage_pb2.Dataset(cid="zX", size_bytes=size))
        if self.broken and not self.frames:
            await context.abort(grpc.StatusCode.NOT_FOUND, "nobody has it")
        for frame in self.frames:
            yield storage_pb2.GetResponse(data=frame)
            if self.broken:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
            if self.stalled:
                self.is_stalling = True
                await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Signals count even where those who run tests, as in the background, have them ignored."""
    usual = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
async def storage() -> AsyncIterator[tuple[Memory, grpc.aio.Channel]]:
    servicer, server = Memory(), grpc.aio.server()
    storage_pb2_grpc.add_StorageServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    channel = open_channel(servicer.address)
    yield servicer, channel
    await channel.close()
    await server.stop(0)


@asynccontextmanager
async def logosctl(memory: Memory, *words: str | bytes, **streams: int) -> AsyncIterator[Process]:
    """A `logosctl storage` of its own, which is ended at the latest with the block."""
    command = [sys.executable, "-m", "logos_cli", "ctl", "--address", memory.address, "storage"]
    async with running(*command, *words, **streams) as process:
        yield process


@asynccontextmanager
async def running(*command: str | bytes, **streams: int) -> AsyncIterator[Process]:
    around = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    process = await asyncio.create_subprocess_exec(*command, env=around, stderr=PIPE, **streams)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ended(process: Process) -> tuple[int, str]:
    """Its exit code and what it said on stderr."""
    assert process.stderr is not None
    said = await asyncio.wait_for(process.stderr.read(), PATIENCE_S)
    return await asyncio.wait_for(process.wait(), PATIENCE_S), said.decode()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - other processes tell us of nothing
            await asyncio.sleep(0.01)


def unread(descriptor: int) -> int:
    """The bytes that wait in a pipe."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


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
    assert memory.header is not None
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


async def test_a_pipe_is_written_to_once_somebody_reads_it(
    storage: tuple[Memory, grpc.aio.Channel], tmp_path: Path
) -> None:
    memory, channel = storage
    memory.frames = [os.urandom(FRAME_BYTES)] * 2
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async with asyncio.TaskGroup() as tasks:
        getting = tasks.create_task(get_content(channel, REQUEST, str(pipe)))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not getting.done()
        reading = tasks.create_task(asyncio.to_thread(pipe.read_bytes))

    assert reading.result() == b"".join(memory.frames)
    assert pipe.is_fifo()


async def test_a_pipe_is_read_once_somebody_writes_to_it(
    storage: tuple[Memory, grpc.aio.Channel], tmp_path: Path
) -> None:
    memory, channel = storage
    content = os.urandom(2 * FRAME_BYTES + 1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async with asyncio.TaskGroup() as tasks:
        putting = tasks.create_task(
            put_content(channel, str(pipe), storage_pb2.PutRequest.Header())
        )
        await until(lambda: memory.header is not None)
        assert not putting.done()
        tasks.create_task(asyncio.to_thread(pipe.write_bytes, content))

    assert b"".join(memory.frames) == content
    assert [len(frame) for frame in memory.frames] == [FRAME_BYTES, FRAME_BYTES, 1]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A pipe that is stdin: its two ends."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading, "r") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield reading, writing


async def test_a_pause_of_a_stdin_that_does_not_block_is_not_its_end(
    storage: tuple[Memory, grpc.aio.Channel], stdin: tuple[int, int]
) -> None:
    memory, channel = storage
    reading, writing = stdin
    content = os.urandom(60_000)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(put_content(channel, "-", storage_pb2.PutRequest.Header()))
        await until(lambda: memory.header is not None)
        for part in (content[:50_000], content[50_000:]):
            os.write(writing, part)
            await until(lambda: unread(reading) == 0)
        os.close(writing)

    assert b"".join(memory.frames) == content


async def test_a_put_that_is_refused_does_not_wait_for_stdin(
    storage: tuple[Memory, grpc.aio.Channel], stdin: tuple[int, int]
) -> None:
    memory, channel = storage
    memory.refusing = True

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await put_content(channel, "-", storage_pb2.PutRequest.Header())

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    os.close(stdin[1])


async def test_the_rest_of_a_file_has_the_size_of_the_rest(
    storage: tuple[Memory, grpc.aio.Channel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, channel = storage
    (tmp_path / "in").write_bytes(b"read, and not yet")
    with (tmp_path / "in").open() as stream:
        os.lseek(stream.fileno(), 6, os.SEEK_SET)
        monkeypatch.setattr(sys, "stdin", stream)
        await put_content(channel, "-", storage_pb2.PutRequest.Header())

    assert memory.header is not None
    assert (memory.header.size_hint_bytes, memory.frames) == (11, [b"and not yet"])


@pytest.mark.parametrize(
    ("file", "number"), [("/proc/self/mem", errno.EIO), ("/proc/self", errno.EISDIR)]
)
async def test_a_source_that_fails_while_it_is_read_ends_the_put_with_its_error(
    storage: tuple[Memory, grpc.aio.Channel], file: str, number: int
) -> None:
    memory, channel = storage

    with pytest.raises(OSError) as caught:
        await put_content(channel, file, storage_pb2.PutRequest.Header())

    assert (caught.value.errno, caught.value.filename) == (number, file)
    assert not memory.is_stored


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
async def test_a_get_that_a_signal_ends_leaves_nothing_behind(
    storage: tuple[Memory, grpc.aio.Channel], tmp_path: Path, number: int, code: int
) -> None:
    memory, _ = storage
    memory.frames, memory.stalled = [b"the first of two", b"the second"], True

    async with logosctl(memory, "get", "zX", "-o", str(tmp_path / "out")) as process:
        await until(lambda: memory.is_stalling and names_in(tmp_path))
        process.send_signal(number)
        assert (await ended(process))[0] == code

    assert names_in(tmp_path) == []


async def test_a_reader_that_does_not_read_keeps_no_get_from_being_interrupted(
    storage: tuple[Memory, grpc.aio.Channel],
) -> None:
    memory, _ = storage
    memory.frames = [bytes(FRAME_BYTES)] * 2
    reading, writing = os.pipe()
    room = fcntl.fcntl(reading, fcntl.F_GETPIPE_SZ)

    async with logosctl(memory, "get", "zX", stdout=writing) as process:
        os.close(writing)
        await until(lambda: unread(reading) == room)
        process.send_signal(signal.SIGINT)
        assert (await ended(process))[0] == 130
    os.close(reading)


async def test_standard_output_is_written_to_by_its_path_too(
    storage: tuple[Memory, grpc.aio.Channel], tmp_path: Path
) -> None:
    memory, _ = storage
    memory.frames = [b"what is added"]
    with (tmp_path / "log").open("ab") as log:
        log.write(b"what was there, ")
        log.flush()
        async with logosctl(
            memory, "get", "zX", "-o", "/dev/stdout", stdout=log.fileno()
        ) as process:
            assert await ended(process) == (0, "")

    assert (tmp_path / "log").read_bytes() == b"what was there, what is added"


async def test_a_put_of_a_silent_pipe_is_interrupted_at_once(
    storage: tuple[Memory, grpc.aio.Channel],
) -> None:
    memory, _ = storage

    async with logosctl(memory, "put", "-", stdin=PIPE) as process:
        await until(lambda: memory.header is not None)
        process.send_signal(signal.SIGINT)
        assert (await ended(process))[0] == 130

    assert not memory.is_stored


ON_TERMINAL = """
import os, sys
os.dup2(os.open(sys.argv[1], os.O_RDWR), 0)  # a session's first terminal controls it
os.execv(sys.executable, [sys.executable, "-m", "logos_cli", *sys.argv[2:]])
"""


@asynccontextmanager
async def typing_into_put(memory: Memory) -> AsyncIterator[tuple[Process, int]]:
    """A `put -` in the foreground of a terminal, and the keyboard of that terminal."""
    keyboard, terminal = os.openpty()
    words = ("ctl", "--address", memory.address, "storage", "put", "-")
    command = (sys.executable, "-c", ON_TERMINAL, os.ttyname(terminal), *words)
    try:
        async with running(*command, start_new_session=True, stdout=PIPE) as process:
            await until(lambda: memory.header is not None)
            yield process, keyboard
    finally:
        os.close(keyboard)
        os.close(terminal)


async def test_control_c_on_a_terminal_interrupts_a_put(
    storage: tuple[Memory, grpc.aio.Channel],
) -> None:
    memory, _ = storage

    async with typing_into_put(memory) as (process, keyboard):
        os.write(keyboard, b"a line\n\x03")
        assert (await ended(process))[0] == 130

    assert not memory.is_stored


async def test_one_control_d_on_a_terminal_ends_the_input(
    storage: tuple[Memory, grpc.aio.Channel],
) -> None:
    memory, _ = storage

    async with typing_into_put(memory) as (process, keyboard):
        os.write(keyboard, b"a line\nanother\n\x04")
        assert (await ended(process))[0] == 0

    assert memory.frames == [b"a line\nanother\n"]


@pytest.mark.parametrize(
    ("closing", "words", "name"),
    [("<&-", "put -", "standard input"), (">&-", "get zX", "standard output")],
)
async def test_a_closed_standard_stream_is_told(
    storage: tuple[Memory, grpc.aio.Channel], closing: str, words: str, name: str
) -> None:
    memory, _ = storage
    script = f'exec "$0" -m logos_cli ctl --address {memory.address} storage {words} {closing}'

    async with running("sh", "-c", script, sys.executable) as process:
        code, said = await ended(process)

    assert (code, said) == (5, f"error: {name}: it is closed\n")


async def test_a_file_whose_name_is_not_utf8_is_stored_without_one(
    storage: tuple[Memory, grpc.aio.Channel], tmp_path: Path
) -> None:
    memory, _ = storage
    source = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(source)).write_bytes(b"content")  # noqa: ASYNC240 - a test's own file

    async with logosctl(memory, "put", source, stdout=PIPE) as process:
        code, said = await ended(process)

    assert code == 0
    assert "stored without" in said
    assert memory.header is not None
    assert (memory.header.filename, memory.frames) == ("", [b"content"])
