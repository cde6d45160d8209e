"""Every limit that a comment of `logos/network/v1/*.proto` states: kept at it, refused beyond."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from mixnet_fake_host import Switchboard
from mixnet_nodes import RunningNode, fake_address, fake_peer_id, refused, until

from logos.network.v1 import discovery_pb2, gossip_pb2, peering_pb2, streams_pb2
from logos_mixnet.core.errors import BatchSizeError
from logos_mixnet.rpc.convert import check_batch

Start = Callable[..., Awaitable[RunningNode]]
Call = Callable[[RunningNode], Awaitable[Any]]

DAY_S = 24 * 3600
PEER = fake_peer_id(2)


def advertise(*keys: bytes, ttl: Duration | None = None) -> Call:
    return lambda node: node.discovery.Advertise(discovery_pb2.AdvertiseRequest(keys=keys, ttl=ttl))


def withdraw(*keys: bytes) -> Call:
    return lambda node: node.discovery.Withdraw(discovery_pb2.WithdrawRequest(keys=keys))


def look_up(key: bytes) -> Call:
    async def call(node: RunningNode) -> list[Any]:
        found = node.discovery.LookUp(discovery_pb2.LookUpRequest(key=key))
        return [one async for one in found]

    return call


def publish(topic: str, data: bytes) -> Call:
    return lambda node: node.gossip.Publish(gossip_pb2.PublishRequest(topic=topic, data=data))


def subscribe(topic: str) -> Call:
    async def call(node: RunningNode) -> None:
        subscription = node.gossip.Subscribe()
        await subscription.write(gossip_pb2.SubscribeRequest(start={"topic": topic}))
        await subscription.read()
        subscription.cancel()

    return call


def listen(protocol: str) -> Call:
    async def call(node: RunningNode) -> None:
        listening = node.streams.Listen(streams_pb2.ListenRequest(protocol=protocol))
        await listening.read()
        listening.cancel()

    return call


def carry(protocol: str) -> Call:
    async def call(node: RunningNode) -> None:
        carrying = node.streams.Carry()
        opening = {"peer_id": PEER, "protocol": protocol}
        await carrying.write(streams_pb2.CarryRequest(open=opening))
        await carrying.read()
        carrying.cancel()

    return call


def ban(reason: str) -> Call:
    return lambda node: node.peering.Ban(peering_pb2.BanRequest(peer_id=PEER, reason=reason))


def keys_of(count: int) -> list[bytes]:
    return [number.to_bytes(2, "big") for number in range(count)]


LONGEST = [
    advertise(b"k"),
    advertise(b"k" * 128),
    advertise(*keys_of(1000)),
    advertise(b"k", ttl=Duration(seconds=DAY_S)),
    advertise(b"k", ttl=Duration(nanos=1)),
    withdraw(b"k" * 128),
    withdraw(*keys_of(1000)),
    look_up(b"k" * 128),
    publish("t", b"d"),
    publish("t" * 256, bytes(150 * 1024)),
    subscribe("é" * 128),
    listen("/p"),
    listen("/" + "p" * 139),
    ban("r" * 200),
    ban("é" * 100),
]

BEYOND = [
    (advertise(b""), "INVALID_KEY"),
    (advertise(b"k" * 129), "INVALID_KEY"),
    (advertise(*keys_of(1001)), "INVALID_KEY"),
    (advertise(b"k", ttl=Duration(seconds=DAY_S, nanos=1)), "INVALID_TTL"),
    (advertise(b"k", ttl=Duration()), "INVALID_TTL"),
    (advertise(b"k", ttl=Duration(nanos=-1)), "INVALID_TTL"),
    (withdraw(b""), "INVALID_KEY"),
    (withdraw(b"k" * 129), "INVALID_KEY"),
    (withdraw(*keys_of(1001)), "INVALID_KEY"),
    (look_up(b""), "INVALID_KEY"),
    (look_up(b"k" * 129), "INVALID_KEY"),
    (publish("", b"d"), "INVALID_TOPIC"),
    (publish("t" * 257, b"d"), "INVALID_TOPIC"),
    (publish("t", b""), "MESSAGE_SIZE"),
    (publish("t", bytes(150 * 1024 + 1)), "MESSAGE_SIZE"),
    (subscribe(""), "INVALID_TOPIC"),
    (subscribe("é" * 128 + "x"), "INVALID_TOPIC"),
    (listen("/"), "INVALID_PROTOCOL"),
    (listen("/" + "p" * 140), "INVALID_PROTOCOL"),
    (listen("/" + "é" * 70), "INVALID_PROTOCOL"),
    (carry("/"), "INVALID_PROTOCOL"),
    (carry("/" + "p" * 140), "INVALID_PROTOCOL"),
    (ban("r" * 201), "INVALID_BAN"),
    (ban("é" * 100 + "x"), "INVALID_BAN"),
]


@pytest.mark.parametrize("call", LONGEST)
async def test_what_reaches_a_limit_is_taken(start_node: Start, call: Call) -> None:
    one = await start_node(1)
    other = await start_node(3, bootstrap=[fake_address(1)])
    for topic in ("t", "t" * 256):
        await other.gossip.Subscribe().write(gossip_pb2.SubscribeRequest(start={"topic": topic}))
    await until(lambda: one.connected and len(other.host.topics) == 2)

    await call(one)


@pytest.mark.parametrize(("call", "reason"), BEYOND)
async def test_what_passes_a_limit_is_refused(start_node: Start, call: Call, reason: str) -> None:
    one = await start_node(1)

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, reason):
        await call(one)


def batch(count: int, size: int) -> gossip_pb2.PublishManyRequest:
    """A request of `size` bytes with `count` messages."""
    request = gossip_pb2.PublishManyRequest(messages=[{"topic": "t"}] * count)
    request.messages[0].data = bytes(size - request.ByteSize() - 12)
    request.messages[0].data += bytes(size - request.ByteSize())
    assert request.ByteSize() == size
    return request


def test_a_batch_has_at_most_1000_messages_and_4_mib() -> None:
    check_batch(batch(1000, 4 << 20))
    for beyond in (batch(1001, 4 << 20), batch(1000, (4 << 20) + 1)):
        with pytest.raises(BatchSizeError):
            check_batch(beyond)


@pytest.mark.parametrize(("limit", "found"), [(0, 20), (1, 1), (21, 21)])
async def test_a_search_ends_after_20_providers_unless_told(
    start_node: Start, board: Switchboard, limit: int, found: int
) -> None:
    one = await start_node(1)
    for number in range(10, 50):
        provider = board.host(fake_peer_id(number), fake_address(number))
        board.providers.setdefault(b"k", {})[provider.peer_id] = None

    call = one.discovery.LookUp(discovery_pb2.LookUpRequest(key=b"k", limit=limit))

    assert len([response async for response in call]) == found
