"""The binding as asyncio uses it: two hosts in one process, one event loop."""

import asyncio
import contextlib
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest

import logos_native
from logos_native import (
    DialDone,
    Host,
    Listening,
    Message,
    NativePanicError,
    PublishDone,
    StreamClosed,
    StreamData,
    StreamEnded,
    StreamIncoming,
    StreamOpened,
    StreamWritten,
)

pytestmark = pytest.mark.native

LOOPBACK = "/ip4/127.0.0.1/tcp/0"
PROTOCOL = "/test/1"
E = TypeVar("E")


class Node:
    """A host whose events wait in a list until a test asks for them."""

    def __init__(self, secret: int, **settings: object) -> None:
        self.host = Host(
            secret_key=bytes([secret]) * 32,
            listen_addresses=[LOOPBACK],
            agent="test",
            **settings,  # type: ignore[arg-type]  # each test knows what it sets
        )
        self._events: list[logos_native.Event] = []
        self._arrived = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.host.fileno(), self._drain)

    def _drain(self) -> None:
        self._events += self.host.drain()
        self._arrived.set()

    async def next(self, kind: type[E], choose: Callable[[E], bool] = lambda _: True) -> E:
        async with asyncio.timeout(60):
            while True:
                for event in self._events:
                    if isinstance(event, kind) and choose(event):
                        self._events.remove(event)
                        return event
                self._arrived.clear()
                await self._arrived.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.host.fileno())
        self.host.close()


@contextlib.asynccontextmanager
async def two_nodes() -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes, the first connected to the second."""
    first, second = Node(1), Node(2, key_type="ed25519")
    try:
        address = (await second.next(Listening)).address
        dialled = first.host.dial(address)
        done = await first.next(DialDone, lambda event: event.request_id == dialled)
        assert done.peer_id == second.host.peer_id
        yield first, second
    finally:
        first.close()
        second.close()


def test_a_peer_id_follows_from_the_key_alone() -> None:
    # Key of the libp2p specification, peer-ids/peer-ids.md, "Test vectors". Its peer id is the
    # identity multihash of the public key there.
    secret = bytes.fromhex("53DADF1D5A164D6B4ACDB15E24AA4C5B1D3461BDBD42ABEDB0A4404D56CED8FB")

    peer_id = logos_native.peer_id_of(secret)

    assert peer_id == "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY"
    assert logos_native.peer_id_of(secret, "ed25519").startswith("12D3KooW")


@pytest.mark.parametrize(
    "call",
    [
        lambda: logos_native.peer_id_of(b"short"),
        lambda: logos_native.peer_id_of(b"\1" * 32, "rsa"),  # type: ignore[arg-type]
        lambda: Host(secret_key=b"\1" * 32, listen_addresses=["nowhere"], agent=""),
        lambda: Host(
            secret_key=b"\1" * 32, listen_addresses=[], agent="", allowed_peers=["nobody"]
        ),
    ],
)
def test_what_does_not_parse_is_a_value_error(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        call()


async def test_an_address_in_use_is_an_os_error() -> None:
    node = Node(1)
    address = (await node.next(Listening)).address

    with pytest.raises(OSError, match="listen"):
        Host(secret_key=b"\2" * 32, listen_addresses=[address], agent="")
    node.close()


async def test_a_message_arrives_and_can_be_judged() -> None:
    async with two_nodes() as (first, second):
        for node in (first, second):
            node.host.subscribe("/t")
        while True:
            asked = first.host.publish("/t", b"hello")
            done = await first.next(PublishDone)
            assert done.request_id == asked
            if done.error is None:
                break
            assert done.error == "no_peers"
            await asyncio.sleep(0.02)

        message = await second.next(Message)

        assert message.data == b"hello"
        assert message.from_peer_id == first.host.peer_id
        assert len(message.message_id) == 32
        second.host.judge(message.message_id, message.from_peer_id, "accept")
        with pytest.raises(ValueError):
            second.host.judge(b"short", message.from_peer_id, "accept")


async def open_stream(first: Node, second: Node) -> tuple[int, int]:
    second.host.accept_streams(PROTOCOL)
    asked = first.host.open_stream(second.host.peer_id, PROTOCOL)
    opened = await first.next(StreamOpened, lambda event: event.request_id == asked)
    incoming = await second.next(StreamIncoming)
    assert opened.stream_id is not None
    assert opened.error is None
    assert (incoming.peer_id, incoming.protocol) == (first.host.peer_id, PROTOCOL)
    return opened.stream_id, incoming.stream_id


async def test_bytes_come_as_far_as_credit_goes_and_then_the_end() -> None:
    async with two_nodes() as (first, second):
        out, incoming = await open_stream(first, second)
        data = bytes(range(256)) * 8192
        first.host.stream_write(out, data)
        first.host.stream_close_write(out)

        received = bytearray()
        while len(received) < len(data):
            second.host.stream_grant(incoming, 100_000)
            step = 0
            while step < min(100_000, len(data) - len(received)):
                chunk = (await second.next(StreamData)).data
                assert len(chunk) <= 100_000 - step
                step += len(chunk)
                received += chunk
        assert received == data

        await second.next(StreamEnded)
        second.host.stream_close_write(incoming)
        assert (await second.next(StreamClosed)).error is None
        assert (await first.next(StreamClosed)).error is None
        with pytest.raises(ValueError, match="already"):
            second.host.accept_streams(PROTOCOL)


async def test_what_was_written_is_reported_in_full() -> None:
    async with two_nodes() as (first, second):
        out, incoming = await open_stream(first, second)
        second.host.stream_grant(incoming, 10_000_000)
        first.host.stream_write(out, bytes(3_000_000))

        written = 0
        while written < 3_000_000:
            written += (await first.next(StreamWritten)).count

        assert written == 3_000_000


async def test_draining_in_steps_leaves_the_descriptor_readable() -> None:
    async with two_nodes() as (first, second):
        out, incoming = await open_stream(first, second)
        second.host.stream_grant(incoming, 1_000_000)
        asyncio.get_running_loop().remove_reader(second.host.fileno())
        first.host.stream_write(out, bytes(1_000_000))
        await first.next(StreamWritten)

        received = 0
        arrived = asyncio.Event()
        asyncio.get_running_loop().add_reader(second.host.fileno(), arrived.set)
        while received < 1_000_000:
            async with asyncio.timeout(60):
                await arrived.wait()
            arrived.clear()
            events = second.host.drain(1)
            assert len(events) <= 1
            received += sum(len(e.data) for e in events if isinstance(e, StreamData))


async def test_a_panic_is_an_error_of_every_later_call_and_of_nothing_else() -> None:
    node = Node(1)
    loop = asyncio.get_running_loop()
    loop.remove_reader(node.host.fileno())
    readable = asyncio.Event()
    node.host.drain()
    loop.add_reader(node.host.fileno(), readable.set)

    node.host.panic_for_test()
    error = ""
    async with asyncio.timeout(60):
        while not error:
            await readable.wait()
            try:
                node.host.drain()
            except NativePanicError as raised:
                error = str(raised)

    assert error == "panic_for_test was called"
    with pytest.raises(NativePanicError):
        node.host.subscribe("/t")
    with pytest.raises(NativePanicError):
        node.host.stream_write(1, b"")
    node.close()


async def test_closing_twice_is_fine_and_calls_after_it_fail() -> None:
    node = Node(1)

    node.close()
    node.host.close()

    with pytest.raises(RuntimeError, match="closed"):
        node.host.bootstrap()


def test_an_interpreter_ends_though_hosts_are_open() -> None:
    program = """
        import logos_native
        hosts = [
            logos_native.Host(
                secret_key=bytes([n]) * 32, listen_addresses=["/ip4/127.0.0.1/tcp/0"], agent=""
            )
            for n in (1, 2)
        ]
        hosts[0].close()
        print("end")
    """

    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        check=True,
        capture_output=True,
        text=True,
        timeout=10,
    )

    assert ended.stdout == "end\n"
    assert ended.stderr == ""


def test_events_show_their_fields() -> None:
    host = Host(secret_key=b"\1" * 32, listen_addresses=[LOOPBACK], agent="")
    events: list[logos_native.Event] = []
    while not events:
        events = host.drain()
    host.close()

    assert repr(events[0]).startswith("Listening(address='/ip4/127.0.0.1/tcp/")
    with pytest.raises(AttributeError):
        events[0].address = ""  # type: ignore[union-attr]
