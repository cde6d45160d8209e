"""A stream of requests has ended only if its caller said so."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from logos_client.channels import open_channel
from logos_module.calls import ServedCall
from logos_module.server import Server
from logos_testnet.scenarios.broken_calls import WAYS, Breaking
from open_access import OpenAccess

METHODS = ("IterateToOne", "IterateToMany", "Read", "ReadInAChild")
CALLS = 300


class Servicer:
    """Counts calls by how their streams of requests ended."""

    def __init__(self) -> None:
        self.ended = 0
        self.broken = 0
        self.serving = 0
        self.size = 0

    async def IterateToOne(self, requests: Any, call: Any) -> bytes:  # noqa: N802
        with _counted(self):
            async for request in requests:
                self.size += len(request)
        return b""

    async def IterateToMany(self, requests: Any, call: Any) -> AsyncIterator[bytes]:  # noqa: N802
        with _counted(self):
            async for request in requests:
                self.size += len(request)
                yield b""

    async def Read(self, requests: Any, call: Any) -> None:  # noqa: N802
        with _counted(self):
            while (request := await call.read()) is not grpc.aio.EOF:
                self.size += len(request)

    async def ReadInAChild(self, requests: Any, call: Any) -> None:  # noqa: N802
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.Read(requests, call))


@contextmanager
def _counted(servicer: Servicer) -> Iterator[None]:
    servicer.serving += 1
    try:
        yield
    except BaseException:
        servicer.broken += 1
        raise
    else:
        servicer.ended += 1
    finally:
        servicer.serving -= 1


def add_to_server(servicer: Servicer, server: Any) -> None:
    handlers = {
        name: grpc.stream_stream_rpc_method_handler(getattr(servicer, name)) for name in METHODS
    }
    handlers["IterateToOne"] = grpc.stream_unary_rpc_method_handler(servicer.IterateToOne)
    server.add_registered_method_handlers("test.Streams", handlers)


def begin(method: str, channel: grpc.aio.Channel, timeout: float | None) -> Any:
    path = f"/test.Streams/{method}"
    kind = channel.stream_unary if method == "IterateToOne" else channel.stream_stream
    return kind(path)(timeout=timeout)


@pytest.fixture
async def served() -> AsyncIterator[tuple[Servicer, str]]:
    with tempfile.TemporaryDirectory(prefix="lk-") as folder:
        servicer, server, target = (
            Servicer(),
            Server(OpenAccess()),
            f"unix:{Path(folder) / 'x.sock'}",
        )
        server.serve(add_to_server, servicer)
        await server.start([target])
        yield servicer, target
        await server.stop(0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
async def test_a_call_that_breaks_off_has_no_end(
    served: tuple[Servicer, str], method: str, way: str
) -> None:
    servicer, target = served

    breaking = Breaking(
        lambda: open_channel(target), partial(begin, method), [b"a" * 1000, b"b" * 1000], way
    )
    await breaking.run(CALLS)
    async with asyncio.timeout(60):
        while servicer.serving:  # noqa: ASYNC110 - gRPC has no event for it
            await asyncio.sleep(0.01)

    assert servicer.ended == 0
    assert servicer.broken > 0


@pytest.mark.parametrize("method", METHODS)
async def test_a_caller_that_half_closes_is_believed(
    served: tuple[Servicer, str], method: str
) -> None:
    servicer, target = served
    channel = open_channel(target)

    for size in (0, 1, 2):
        call = begin(method, channel, None)
        for _ in range(size):
            await call.write(b"x")
        await call.done_writing()
        if method != "IterateToOne":
            assert [response async for response in call] == [b""] * size * (
                method == "IterateToMany"
            )
        assert await call.code() is grpc.StatusCode.OK

    await channel.close()
    assert (servicer.ended, servicer.broken, servicer.size) == (3, 0, 3)


class Gone:
    """The context of a call whose caller is gone, as gRPC has it."""

    async def write(self, response: Any) -> None:
        raise grpc.aio.InternalError("execute_batch")

    send_initial_metadata = abort_with_status = write

    async def abort(self, code: Any, details: str) -> None:
        raise grpc.aio.InternalError("execute_batch")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("write", (b"",)),
        ("send_initial_metadata", ((),)),
        ("abort", (grpc.StatusCode.NOT_FOUND, "nothing here")),
        ("abort_with_status", (None,)),
    ],
)
async def test_what_does_not_reach_a_caller_that_is_gone_ends_the_call(
    method: str, arguments: tuple[Any, ...]
) -> None:
    call = ServedCall(Gone())

    with pytest.raises(asyncio.CancelledError):
        await getattr(call, method)(*arguments)
