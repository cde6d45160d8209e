"""Capability discovery between real hosts on loopback, hostile ones among them."""

import asyncio
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from mixnet_nodes import RunningNode, own_ports, until

from logos_crypto import base58, varint
from logos_mixnet.core.capability.budget import PEER_BURST
from logos_mixnet.core.capability.distance import service_id_of
from logos_mixnet.core.capability.wire import (
    PROTOCOL,
    GetAdsRequest,
    Peer,
    decode_get_ads_response,
    encode_request,
)
from logos_mixnet.core.errors import StreamResetError
from logos_mixnet.core.ports import Stream
from logos_mixnet.operations import asking, registrar
from logos_mixnet.operations.messages import Messages
from mixnet_memory_stores import MemoryOfferStore

pytest.importorskip("logos_native")

from capability_hosts import MIX, Pools, discovering

pytestmark = pytest.mark.native

QUERY = encode_request(GetAdsRequest(service_id_of(MIX)))
Start = Callable[..., Awaitable[RunningNode]]
Answer = Callable[[Stream], Awaitable[None]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def start(port: int, *bootstrap: int, **options: Any) -> RunningNode:
            node = discovering(tmp_path, port, *bootstrap, **options)
            return await stack.enter_async_context(node)

        yield start


async def network(start: Start, count: int) -> list[RunningNode]:
    """Nodes that each know up to four addresses, and no ids."""
    ports = own_ports(count)
    return [
        await start(port, *(ports[max(0, at - 4) : at] or ports[1:2]))
        for at, port in enumerate(ports)
    ]


async def open_to(one: RunningNode, other: RunningNode) -> Stream:
    return await one.network.streams.open(other.peer_id, PROTOCOL)


async def query(one: RunningNode, other: RunningNode) -> bytes | None:
    """What a node answers to a query: a raw one, below the machines."""
    peer = Peer(base58.decode(other.peer_id))
    response: bytes | None = await one.network.capability.asking.ask(peer, QUERY)
    return response


async def rest(stream: Stream) -> bytes | None:
    """What comes to the end of a stream; None if it is reset and that can be seen (NET-10)."""
    received = bytearray()
    try:
        async with asyncio.timeout(60):
            while pieces := await stream.read():
                received += b"".join(pieces)
    except StreamResetError:
        return None
    return bytes(received)


def refused_by(node: RunningNode) -> Counter[str]:
    return node.network.capability.registrar.refused


async def test_twenty_nodes_form_a_pool_by_discovery_alone(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """Acceptance 6, DIS-29: nobody is told who the mixes are."""
    nodes = await network(start, 20)
    pools, begun = Pools(), time.monotonic()
    for number, node in enumerate(nodes):
        pools.watch(node)
        await node.network.capability.advertise(MIX, bytes([number]) * 32)

    await until(lambda: pools.least() == 19)

    took_s = time.monotonic() - begun
    asked = sum(node.network.capability.asking.asked for node in nodes) / 20
    with capsys.disabled():
        sys.stdout.write(
            f"\n20 nodes: full pools after {took_s:.1f} s, {asked:.0f} requests each\n"
        )
    assert took_s <= 60
    for number, node in enumerate(nodes):
        assert pools.ids(node) == {other.peer_id for other in nodes} - {node.peer_id}
        known = pools.record(nodes[number - 1], node)
        assert known is not None
        assert known.record.services[0].data == bytes([number]) * 32
    pools.close()


async def test_a_node_that_comes_back_elsewhere_is_known_by_its_newer_record(start: Start) -> None:
    store, secret = MemoryOfferStore(), secrets.token_bytes(32)
    ports = own_ports(4)
    await start(ports[0])
    two = await start(ports[1], ports[0])
    third = await start(ports[2], ports[0], secret=secret, offers=store)
    pools = Pools()
    pools.watch(two)
    await third.network.capability.offering.offer(MIX, b"key", 3_600_000)
    await until(lambda: pools.record(two, third))
    before = pools.record(two, third)
    await third.network.close()

    await start(ports[3], ports[0], secret=secret, offers=store)

    def moved() -> bool:
        after = pools.record(two, third)
        return bool(after and before and after.record.seq > before.record.seq)

    await until(moved)
    after = pools.record(two, third)
    assert after is not None
    assert after.record.addresses != before.record.addresses  # type: ignore[union-attr]
    assert after.record.services[0].data == b"key"
    pools.close()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x05hello", "DISCOVERY_MESSAGE_MALFORMED"),
        (b"\x00", "DISCOVERY_MESSAGE_MALFORMED"),
        (varint.encode(4097) + bytes(5000), "DISCOVERY_MESSAGE_MALFORMED"),
        (b"\xff" * 200_000, "DISCOVERY_MESSAGE_MALFORMED"),
        (varint.encode(len(QUERY)) + QUERY[:-1], "DISCOVERY_MESSAGE_MALFORMED"),
        (secrets.token_bytes(300), None),
    ],
)
async def test_garbage_is_reset_and_counted(start: Start, sent: bytes, reason: str | None) -> None:
    one, mallory = await network(start, 2)
    await until(lambda: one.connected and mallory.connected)
    stream = await open_to(mallory, one)

    await stream.write(sent)
    stream.close_write()

    assert not await rest(stream)
    await until(lambda: sum(refused_by(one).values()) == 1)
    assert reason is None or refused_by(one) == {reason: 1}
    assert await query(mallory, one) is not None


async def test_requests_may_follow_each_other_on_a_stream(start: Start) -> None:
    one, two = await network(start, 2)
    await until(lambda: one.connected and two.connected)
    stream = await open_to(two, one)
    messages = Messages(stream)

    for _ in range(3):
        await messages.write(QUERY)
        assert decode_get_ads_response(await messages.read() or b"").advertisements == ()
    stream.close_write()

    assert await messages.read() is None


async def test_slow_requests_are_given_up_and_bounded(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registrar, "TIMEOUT_S", 2.0)
    one, mallory = await network(start, 2)
    await until(lambda: one.connected and mallory.connected)
    streams = [await open_to(mallory, one) for _ in range(20)]
    for stream in streams:
        await stream.write(varint.encode(len(QUERY)) + QUERY[:5])

    assert [await rest(stream) for stream in streams] == [None] * 20

    assert refused_by(one) == {"SLOW": 8, "STREAMS": 12}
    assert await query(mallory, one) is not None


async def test_a_flood_is_answered_within_its_budget_and_harms_nobody(start: Start) -> None:
    one, mallory, honest = await network(start, 3)
    await until(lambda: all(node.connected == 2 for node in (one, mallory, honest)))
    begun = time.monotonic()

    async def flood() -> int:
        answers = 0
        for _ in range(400):
            stream = await open_to(mallory, one)
            messages = Messages(stream)
            try:
                await messages.write(QUERY)
                answers += await messages.read() is not None
            except StreamResetError:
                continue
            finally:
                stream.reset()
        return answers

    async with asyncio.TaskGroup() as tasks:
        floods = [tasks.create_task(flood()) for _ in range(6)]
        served = [await query(honest, one) for _ in range(20)]

    took_s = time.monotonic() - begun
    assert all(response is not None for response in served)
    assert PEER_BURST <= sum(each.result() for each in floods) <= PEER_BURST + 8 * took_s + 1
    assert refused_by(one)["BUDGET"] > 0


async def never(stream: Stream) -> None:
    await asyncio.Event().wait()


async def garbage(stream: Stream) -> None:
    await stream.read()
    await stream.write(varint.encode(200) + secrets.token_bytes(200))


async def oversize(stream: Stream) -> None:
    await stream.read()
    await stream.write(b"\xff" * 100_000)


async def nothing(stream: Stream) -> None:
    await stream.read()
    stream.close_write()


async def half(stream: Stream) -> None:
    await stream.read()
    await stream.write(varint.encode(1000) + bytes(10))


@pytest.mark.parametrize("answer", [never, garbage, oversize, nothing, half])
async def test_hostile_registrars_stop_nobody(
    start: Start, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    """Three of six answer so; the others still find each other."""
    monkeypatch.setattr(asking, "TIMEOUT_S", 1.0)
    nodes = await network(start, 6)
    honest, hostile, pools = nodes[::2], nodes[1::2], Pools()
    for node in hostile:
        monkeypatch.setattr(node.network.capability.registrar, "_answer_all", answer)
    for node in honest:
        pools.watch(node)
        await node.network.capability.advertise(MIX, bytes(32))

    await until(lambda: pools.least() == len(honest) - 1)

    for node in honest:
        capability = node.network.capability
        assert capability.asking.unanswered or capability.offering.misbehaved
        assert capability.offering.confirmed
    pools.close()
