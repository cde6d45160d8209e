import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from mixnet_fake_host import FakeHost, Half, Switchboard
from mixnet_nodes import RunningNode, fake_address, fake_peer_id, refused, settled, until

from logos.network.v1.streams_pb2 import CarryRequest, ListenRequest
from logos_mixnet.core import streams as core
from logos_mixnet.core.flow import MAX_WINDOW_BYTES, MIB
from logos_mixnet.core.streams import MAX_ANNOUNCED_PER_PEER
from logos_mixnet.net.clock import steady_unix_ms
from logos_mixnet.net.host import HostBridge
from logos_mixnet.net.streams import NativeStreams
from logos_mixnet.operations.streams import StreamOperations
from logos_module.errors import reason_of

Start = Callable[..., Awaitable[RunningNode]]

CHAT = "/chat/1"


def open_request(peer_id: str, protocol: str = CHAT) -> CarryRequest:
    return CarryRequest(open={"peer_id": peer_id, "protocol": protocol})


def accept_request(stream_id: int) -> CarryRequest:
    return CarryRequest(accept={"stream_id": stream_id})


async def pair(start_node: Start) -> tuple[RunningNode, RunningNode]:
    one = await start_node(1)
    two = await start_node(2, bootstrap=[fake_address(1)])
    await until(lambda: one.host.connections and two.host.connections)
    return one, two


@asynccontextmanager
async def stream(start_node: Start) -> Any:
    """A stream from node 2 to node 1, carried on both."""
    one, two = await pair(start_node)
    listening = one.streams.Listen(ListenRequest(protocol=CHAT))
    await listening.read()
    outgoing, incoming = two.streams.Carry(), one.streams.Carry()
    await outgoing.write(open_request(one.peer_id))
    assert (await outgoing.read()).established.peer_id == one.peer_id
    announced = await listening.read()
    await incoming.write(accept_request(announced.stream_id))
    assert (await incoming.read()).established.peer_id == two.peer_id
    yield one, two, outgoing, incoming
    listening.cancel()


async def read_all(call: Any) -> bytes:
    """Reads data until the peer's end."""
    data = bytearray()
    while not (response := await call.read()).end:
        data += response.data
    return bytes(data)


async def test_bytes_go_both_ways_and_each_side_ends_alone(start_node: Start) -> None:
    async with stream(start_node) as (_one, _two, outgoing, incoming):
        await outgoing.write(CarryRequest(data=b"question"))
        await outgoing.write(CarryRequest(end=True))
        assert await read_all(incoming) == b"question"

        await incoming.write(CarryRequest(data=b"answer after the end"))
        await incoming.write(CarryRequest(end=True))
        assert await read_all(outgoing) == b"answer after the end"

        for call in (outgoing, incoming):
            assert await call.read() is grpc.aio.EOF
            assert await call.code() == grpc.StatusCode.OK


async def test_large_streams_arrive_whole_in_frames_of_up_to_a_mebibyte(start_node: Start) -> None:
    payload = bytes(range(256)) * 4096 * 20  # 20 MiB
    async with stream(start_node) as (_one, _two, outgoing, incoming):

        async def send() -> None:
            for start in range(0, len(payload), MIB):
                await outgoing.write(CarryRequest(data=payload[start : start + MIB]))
            await outgoing.write(CarryRequest(end=True))

        got, largest = bytearray(), 0
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(send())
            while not (response := await incoming.read()).end:
                got += response.data
                largest = max(largest, len(response.data))

        assert got == payload
        assert largest <= MIB


async def test_a_caller_that_does_not_read_holds_the_peer_back(start_node: Start) -> None:
    async with stream(start_node) as (_one, two, _outgoing, incoming):
        [half] = two.host.streams.values()
        sent = 64 * MIB
        for _ in range(sent // MIB):
            two.host.stream_write(half.stream_id, bytes(MIB))

        taken = await settled(lambda: sent - sum(map(len, half.other.inbox)))

        assert taken < 16 * MIB
        while sum(map(len, half.other.inbox)):
            await incoming.read()


async def test_a_peer_that_does_not_read_holds_the_caller_back(start_node: Start) -> None:
    one, two = await pair(start_node)
    listening = one.streams.Listen(ListenRequest(protocol=CHAT))
    await listening.read()
    outgoing = two.streams.Carry()
    await outgoing.write(open_request(one.peer_id))
    await outgoing.read()
    [half] = one.host.streams.values()
    written = 0

    async def send() -> None:
        nonlocal written
        for _ in range(64):
            await outgoing.write(CarryRequest(data=bytes(MIB)))
            written += 1

    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(send())
        await settled(lambda: written)
        assert written < 32
        assert sum(map(len, half.inbox)) <= MAX_WINDOW_BYTES + MIB
        one.host.stream_grant(half.stream_id, 100 * MIB)
        await sending
    outgoing.cancel()
    listening.cancel()


async def test_cancelling_a_call_resets_the_stream(start_node: Start) -> None:
    async with stream(start_node) as (one, two, outgoing, incoming):
        await outgoing.write(CarryRequest(data=b"half a mess"))
        assert (await incoming.read()).data == b"half a mess"

        outgoing.cancel()

        async with refused(grpc.StatusCode.ABORTED, "STREAM_RESET"):
            await incoming.read()
        await until(lambda: not one.host.streams and not two.host.streams)


async def test_a_cancelled_call_never_looks_like_a_clean_end(start_node: Start) -> None:
    async with stream(start_node) as (one, _two, outgoing, _incoming):
        [half] = one.host.streams.values()

        outgoing.cancel()

        await until(lambda: not one.host.streams)
        assert not half.told_end


async def test_what_came_before_a_reset_is_still_read(start_node: Start) -> None:
    async with stream(start_node) as (_one, two, _outgoing, incoming):
        [half] = two.host.streams.values()
        two.host.stream_write(half.stream_id, b"before")
        two.host.stream_reset(half.stream_id)

        assert (await incoming.read()).data == b"before"
        async with refused(grpc.StatusCode.ABORTED, "STREAM_RESET"):
            await incoming.read()


async def test_a_lost_connection_aborts_both_ends(start_node: Start) -> None:
    async with stream(start_node) as (one, two, outgoing, incoming):
        two.host.disconnect(one.peer_id)

        for call in (outgoing, incoming):
            async with refused(grpc.StatusCode.ABORTED, "STREAM_RESET"):
                await call.read()


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (open_request("nonsense"), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PEER_ID"),
        (
            open_request(fake_peer_id(9), "no-slash"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_PROTOCOL",
        ),
        (open_request(fake_peer_id(9)), grpc.StatusCode.UNAVAILABLE, "PEER_UNREACHABLE"),
        (accept_request(77), grpc.StatusCode.NOT_FOUND, "STREAM_UNKNOWN"),
        (CarryRequest(data=b"x"), grpc.StatusCode.INVALID_ARGUMENT, "START_EXPECTED"),
        (CarryRequest(), grpc.StatusCode.INVALID_ARGUMENT, "START_EXPECTED"),
    ],
)
async def test_a_stream_that_cannot_stand_says_why(
    start_node: Start, request_: CarryRequest, code: grpc.StatusCode, reason: str
) -> None:
    node = await start_node(1)
    call = node.streams.Carry()
    await call.write(request_)

    async with refused(code, reason):
        await call.read()


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        ("not_supported", grpc.StatusCode.UNIMPLEMENTED, "PROTOCOL_NOT_SUPPORTED"),
        ("banned", grpc.StatusCode.FAILED_PRECONDITION, "PEER_BANNED"),
        ("too_many", grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS"),
        ("reset", grpc.StatusCode.ABORTED, "STREAM_RESET"),
        ("unreachable", grpc.StatusCode.UNAVAILABLE, "PEER_UNREACHABLE"),
    ],
)
async def test_the_hosts_reasons_have_statuses(
    start_node: Start, error: str, code: grpc.StatusCode, reason: str
) -> None:
    node = await start_node(1)
    node.host.open_error = error
    call = node.streams.Carry()
    await call.write(open_request(fake_peer_id(2)))

    async with refused(code, reason):
        await call.read()


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (CarryRequest(data=bytes(MIB + 1)), "FRAME_SIZE"),
        (open_request(fake_peer_id(9)), "UNEXPECTED_REQUEST"),
        (CarryRequest(), "UNEXPECTED_REQUEST"),
    ],
)
async def test_requests_that_carry_no_data_or_too_much_end_the_call(
    start_node: Start, request_: CarryRequest, reason: str
) -> None:
    async with stream(start_node) as (one, _two, outgoing, _incoming):
        await outgoing.write(request_)

        async with refused(grpc.StatusCode.INVALID_ARGUMENT, reason):
            await outgoing.read()
        await until(lambda: not one.host.streams)


async def test_requests_that_stop_without_an_end_reset_the_stream(start_node: Start) -> None:
    async with stream(start_node) as (_one, _two, outgoing, incoming):
        await outgoing.write(CarryRequest(data=b"half a mess"))
        await incoming.read()

        await outgoing.done_writing()

        async with refused(grpc.StatusCode.ABORTED, "STREAM_RESET"):
            await incoming.read()


async def test_nothing_may_follow_the_end(start_node: Start) -> None:
    async with stream(start_node) as (_one, _two, outgoing, _incoming):
        await outgoing.write(CarryRequest(end=True))
        await outgoing.write(CarryRequest(data=b"more"))

        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "UNEXPECTED_REQUEST"):
            await outgoing.read()


async def test_empty_data_is_nothing(start_node: Start) -> None:
    async with stream(start_node) as (_one, _two, outgoing, incoming):
        await outgoing.write(CarryRequest(data=b""))
        await outgoing.write(CarryRequest(data=b"x"))
        await outgoing.write(CarryRequest(end=True))

        assert await read_all(incoming) == b"x"


async def test_a_protocol_has_one_listener_and_ends_with_it(start_node: Start) -> None:
    one = await start_node(1)
    own = set(one.host.accepted)
    listening = one.streams.Listen(ListenRequest(protocol=CHAT))
    await listening.read()
    assert one.host.accepted == {CHAT, *own}

    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "PROTOCOL_TAKEN"):
        await one.streams.Listen(ListenRequest(protocol=CHAT)).read()
    listening.cancel()

    await until(lambda: one.host.accepted == own)


@pytest.mark.parametrize("protocol", ["", "/", "chat", "/" + "x" * 140])
async def test_other_texts_are_no_protocols(start_node: Start, protocol: str) -> None:
    one = await start_node(1)

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PROTOCOL"):
        await one.streams.Listen(ListenRequest(protocol=protocol)).read()


async def test_a_draining_module_ends_listeners(start_node: Start) -> None:
    one = await start_node(1)
    listening = one.streams.Listen(ListenRequest(protocol=CHAT))
    await listening.read()

    one.stopping.set()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await listening.read()
    assert reason_of(caught.value) == "MODULE_DRAINING"


# Streams without a server, with their times and limits at hand.


@asynccontextmanager
async def streams_of(board: Switchboard) -> Any:
    host, peer = board.host(fake_peer_id(1), fake_address(1)), board.host(fake_peer_id(2), "/x")
    peer.join(host)
    bridge = HostBridge(host)
    native = NativeStreams(bridge)
    streams = StreamOperations(native, steady_unix_ms())
    native.deliver(streams.machine, streams.driver)
    bridge.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(streams.driver.run())
        yield streams, host, peer
        streams.driver.stop()
    bridge.close()
    peer.close()


def incoming_halves(host: FakeHost) -> list[Half]:
    return list(host.streams.values())


async def test_a_stream_that_is_not_accepted_in_time_is_reset(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "ACCEPT_TIMEOUT_MS", 50)
    async with (
        streams_of(board) as (streams, host, peer),
        streams.listen(CHAT) as incoming,
    ):
        peer.open_stream(host.peer_id, CHAT)
        announced = await anext(incoming)

        await until(lambda: not host.streams)

        with pytest.raises(Exception, match="waits to be accepted"):
            streams.accept(announced.stream_id)


async def test_one_peer_cannot_take_all_places(board: Switchboard) -> None:
    async with streams_of(board) as (streams, host, peer), streams.listen(CHAT) as incoming:
        for _ in range(MAX_ANNOUNCED_PER_PEER + 10):
            peer.open_stream(host.peer_id, CHAT)
        await anext(incoming)

        assert len(host.streams) == MAX_ANNOUNCED_PER_PEER


async def test_streams_that_went_away_are_not_announced(board: Switchboard) -> None:
    async with streams_of(board) as (streams, host, peer), streams.listen(CHAT) as incoming:
        for _ in range(1000):
            peer.open_stream(host.peer_id, CHAT)
            peer.stream_reset(next(iter(peer.streams)))
        peer.open_stream(host.peer_id, CHAT)
        await until(lambda: not host._events)

        [left] = host.streams
        assert len(streams.machine._listeners[CHAT].waiting) == 1
        assert (await anext(incoming)).stream_id == left


async def test_a_stream_that_stands_too_late_for_its_caller_is_reset(board: Switchboard) -> None:
    async with streams_of(board) as (streams, host, peer):
        peer.accept_streams(CHAT)
        async with asyncio.TaskGroup() as tasks:
            opening = tasks.create_task(streams.open(peer.peer_id, CHAT))
            await asyncio.sleep(0)  # it has asked the host, which answers in an event
            assert host.streams
            opening.cancel()

        await until(lambda: not peer.streams)


async def test_all_windows_return_to_the_pools(board: Switchboard) -> None:
    async with streams_of(board) as (streams, _host, peer):
        peer.accept_streams(CHAT)
        before = streams._host.incoming_pool.free, streams._host.outgoing_pool.free
        stream_ = await streams.open(peer.peer_id, CHAT)
        [half] = incoming_halves(peer)
        peer.stream_grant(half.stream_id, 100 * MIB)
        peer.stream_write(half.stream_id, bytes(8 * MIB))
        for _ in range(8):
            await stream_.write(bytes(MIB))
            await stream_.read()
        assert (streams._host.incoming_pool.free, streams._host.outgoing_pool.free) < before

        stream_.reset()

        assert (streams._host.incoming_pool.free, streams._host.outgoing_pool.free) == before
