"""Whole nodes on real hosts and loopback; the second half runs the module as a process."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from mixnet_nodes import RunningNode, at, own_ports, refused, running, until

from logos.network.v1 import discovery_pb2, gossip_pb2, peering_pb2, streams_pb2

pytest.importorskip("logos_native")

from logos_mixnet.config import parse
from logos_mixnet.core.capability.keys import Secp256k1Signer
from logos_mixnet.core.gossip import message_id
from logos_mixnet.node import open_host
from mixnet_memory_stores import MemoryAdvertisementStore, MemoryPeerStore

pytestmark = pytest.mark.native

MIB = 1024 * 1024
CHAT = "/chat/1"
Start = Callable[..., Awaitable[RunningNode]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def start(port: int, *bootstrap: int, **options: Any) -> RunningNode:
            settings = {"listen": [at(port)], "bootstrap": [at(each) for each in bootstrap]}
            secret = options.pop("secret", secrets.token_bytes(32))
            host = open_host(parse(settings), secret)
            options["signer"] = Secp256k1Signer(secret)
            path = tmp_path / f"{port}-{secrets.token_hex(2)}.sock"
            return await stack.enter_async_context(running(host, path, **settings, **options))

        yield start


async def network(start: Start, count: int) -> list[RunningNode]:
    """Nodes that know one or two addresses each, and no ids; all of them connected."""
    ports = own_ports(count)
    nodes = []
    for index, port in enumerate(ports):
        others = {ports[0], ports[(index + 1) % count]} - {port}
        nodes.append(await start(port, *others))
    await until(lambda: all(node.connected == count - 1 for node in nodes))
    return nodes


async def subscribe(node: RunningNode, *, validate: bool = False) -> Any:
    call = node.gossip.Subscribe()
    await call.write(gossip_pb2.SubscribeRequest(start={"topic": "t", "validate": validate}))
    await call.read()
    return call


async def publish(node: RunningNode, data: bytes) -> bytes:
    """Publishes as soon as a peer follows the topic."""
    request = gossip_pb2.PublishRequest(topic="t", data=data)
    async with asyncio.timeout(60):
        while True:
            try:
                return bytes((await node.gossip.Publish(request)).message_id)
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
                await asyncio.sleep(0.05)


async def read_message(call: Any) -> gossip_pb2.GossipMessage:
    [message] = (await asyncio.wait_for(call.read(), 60)).messages
    return message


async def until_heard(call: Any, data: bytes) -> None:
    async with asyncio.timeout(60):
        while all(message.data != data for message in (await call.read()).messages):
            pass


async def until_followed(node: RunningNode, calls: list[Any]) -> None:
    """Publishes until each call has heard something: a subscription takes its time to reach the
    others, and gossipsub does not send again what was published before."""
    async with asyncio.TaskGroup() as tasks:
        waiting = {tasks.create_task(asyncio.wait_for(call.read(), 60)) for call in calls}
        for number in itertools.count():
            await publish(node, b"probe %d" % number)
            _, waiting = await asyncio.wait(waiting, timeout=0.2)
            if not waiting:
                return


async def look_up(node: RunningNode, key: bytes) -> set[str]:
    request = discovery_pb2.LookUpRequest(key=key)
    return {found.peer_id async for found in node.discovery.LookUp(request, timeout=60)}


async def until_found(node: RunningNode, key: bytes, expected: set[str]) -> None:
    async with asyncio.timeout(60):
        while await look_up(node, key) != expected:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.1)


async def test_nodes_that_know_no_ids_connect_to_all_others(start: Start) -> None:
    nodes = await network(start, 5)

    for node in nodes:
        others = {other.peer_id for other in nodes} - {node.peer_id}
        listed = await node.peering.ListPeers(peering_pb2.ListPeersRequest())
        assert {peer.peer_id for peer in listed.peers} == others
        identity = await node.peering.GetIdentity(peering_pb2.GetIdentityRequest())
        assert identity.connected_peers == 4
        assert len(identity.listen_addresses) == 1
    ping = peering_pb2.PingRequest(peer_id=nodes[1].peer_id)
    assert (await nodes[0].peering.Ping(ping)).round_trip.ToMicroseconds() > 0


async def test_gossip_reaches_all_and_only_what_is_accepted(start: Start) -> None:
    nodes = await network(start, 5)
    calls = [await subscribe(node) for node in nodes[1:]]
    await until_followed(nodes[0], calls)

    name = await publish(nodes[0], b"hello")

    assert name == message_id(b"hello")
    for call in calls:
        await until_heard(call, b"hello")
    async with refused(grpc.StatusCode.ALREADY_EXISTS, "DUPLICATE_MESSAGE"):
        await nodes[0].gossip.Publish(gossip_pb2.PublishRequest(topic="t", data=b"hello"))


async def test_a_link_counts_the_gossip_that_it_carries(start: Start) -> None:
    one, two = await network(start, 2)
    call = await subscribe(two)
    await until_followed(one, [call])
    before, there_before = await traffic(one), await traffic(two)
    data = secrets.token_bytes(100_000)

    await publish(one, data)
    await until_heard(call, data)

    after, there = await traffic(one), await traffic(two)
    assert after.since == before.since
    assert after.sent_bytes - before.sent_bytes >= 100_000
    assert after.sent_messages - before.sent_messages >= 2  # a frame has 64 KiB at most
    assert there.received_bytes - there_before.received_bytes >= 100_000
    assert there.received_messages - there_before.received_messages >= 2
    assert there.sent_bytes - there_before.sent_bytes < 100_000


async def traffic(node: RunningNode) -> peering_pb2.LinkTraffic:
    """What the link to the only peer has carried."""
    request = peering_pb2.ListPeersRequest(connected_only=True)
    [peer] = (await node.peering.ListPeers(request)).peers
    assert peer.traffic.since.seconds > 1_700_000_000
    return peer.traffic


async def test_an_isolated_node_is_alone_until_it_is_healed(start: Start) -> None:
    nodes = await network(start, 3)
    lone = nodes[1]

    await lone.peering.Isolate(peering_pb2.IsolateRequest())

    await until(lambda: [node.connected for node in nodes] == [1, 0, 1])
    lone_id = peering_pb2.PingRequest(peer_id=lone.peer_id)
    async with refused(grpc.StatusCode.UNAVAILABLE, "PEER_NOT_CONNECTED"):
        await nodes[0].peering.Ping(lone_id)
    await lone.peering.Heal(peering_pb2.HealRequest())
    await until(lambda: all(node.connected == 2 for node in nodes))


async def test_a_rejecting_node_stops_a_message(start: Start) -> None:
    """One knows two, two knows three; only two can pass anything on."""
    ports = own_ports(3)
    one = await start(ports[0], target_peers=0)
    two = await start(ports[1], ports[0], target_peers=0)
    three = await start(ports[2], ports[1], target_peers=0)
    await until(lambda: two.connected == 2)
    validator, last = await subscribe(two, validate=True), await subscribe(three)
    verdicts = {b"good": gossip_pb2.VERDICT_ACCEPT, b"bad": gossip_pb2.VERDICT_REJECT}
    await publish(two, b"ready")
    assert (await read_message(last)).data == b"ready"

    for data in (b"bad", b"good"):
        await publish(one, data)
        message = await read_message(validator)
        judgement = {"message_id": message.message_id, "verdict": verdicts[message.data]}
        await validator.write(gossip_pb2.SubscribeRequest(judgements=[judgement]))

    message = await read_message(last)
    assert (message.data, message.from_peer_id) == (b"good", two.peer_id)


async def test_64_mebibytes_cross_with_half_closes_both_ways(start: Start) -> None:
    one, two = await network(start, 2)
    listening = one.streams.Listen(streams_pb2.ListenRequest(protocol=CHAT))
    await listening.read()
    outgoing, incoming = two.streams.Carry(), one.streams.Carry()
    opening = {"peer_id": one.peer_id, "protocol": CHAT}
    await outgoing.write(streams_pb2.CarryRequest(open=opening))
    await outgoing.read()
    announced = await listening.read()
    assert announced.peer_id == two.peer_id
    accepting = streams_pb2.CarryRequest(accept={"stream_id": announced.stream_id})
    await incoming.write(accepting)
    await incoming.read()
    payload = secrets.token_bytes(MIB)

    async def send(call: Any, mebibytes: int) -> None:
        for _ in range(mebibytes):
            await call.write(streams_pb2.CarryRequest(data=payload))
        await call.write(streams_pb2.CarryRequest(end=True))

    async def receive(call: Any) -> bytes:
        data = bytearray()
        while not (response := await call.read()).end:
            data += response.data
        return bytes(data)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send(outgoing, 64))
        received = await receive(incoming)
    assert received == payload * 64
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send(incoming, 8))
        answered = await receive(outgoing)
    assert answered == payload * 8
    for call in (outgoing, incoming):
        assert await call.read() is grpc.aio.EOF
        assert await call.code() == grpc.StatusCode.OK
    listening.cancel()


async def test_streams_that_cannot_be_opened_say_why(start: Start) -> None:
    one, two = await network(start, 2)

    async def open_one(peer_id: str) -> None:
        call = two.streams.Carry()
        opening = {"peer_id": peer_id, "protocol": CHAT}
        await call.write(streams_pb2.CarryRequest(open=opening))
        await call.read()

    async with refused(grpc.StatusCode.UNIMPLEMENTED, "PROTOCOL_NOT_SUPPORTED"):
        await open_one(one.peer_id)
    unknown = "16Uiu2HAkuRfynyeQUyaKG6D44mPBuzAaiqVCWqAW9GHmv9rSiQ3z"
    async with refused(grpc.StatusCode.UNAVAILABLE, "PEER_UNREACHABLE"):
        await open_one(unknown)
    await two.peering.Ban(peering_pb2.BanRequest(peer_id=one.peer_id))
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "PEER_BANNED"):
        await open_one(one.peer_id)


async def test_keys_are_found_from_every_node_and_the_loss_of_one_is_survived(
    start: Start, tmp_path: Path
) -> None:
    nodes = await network(start, 4)
    ports = own_ports(1)
    socket_path = tmp_path / "fifth.sock"
    identity = await nodes[0].peering.GetIdentity(peering_pb2.GetIdentityRequest())
    settings = {"listen": [at(ports[0])], "bootstrap": list(identity.listen_addresses)}
    host = open_host(parse(settings), secrets.token_bytes(32))
    async with running(host, socket_path, **settings) as fifth:
        await until(lambda: all(node.connected == 4 for node in (*nodes, fifth)))
        for provider in (nodes[0], fifth):
            await provider.discovery.Advertise(discovery_pb2.AdvertiseRequest(keys=[b"file"]))

        await until_found(nodes[3], b"file", {nodes[0].peer_id, fifth.peer_id})
        await until_found(nodes[0], b"file", {fifth.peer_id})

    await until(lambda: all(node.connected == 3 for node in nodes))
    assert nodes[0].peer_id in await look_up(nodes[3], b"file")
    calls = [await subscribe(node) for node in nodes[1:]]
    await until_followed(nodes[0], calls)
    await publish(nodes[0], b"still here")
    for call in calls:
        await until_heard(call, b"still here")


async def test_keys_advertised_before_the_first_connection_are_found(start: Start) -> None:
    ports = own_ports(2)
    one = await start(ports[0])
    await one.discovery.Advertise(discovery_pb2.AdvertiseRequest(keys=[b"early"]))

    two = await start(ports[1], ports[0])

    await until_found(two, b"early", {one.peer_id})


async def test_a_banned_peer_stays_out_after_a_restart(start: Start) -> None:
    ports = own_ports(3)
    store, secret = MemoryPeerStore(), secrets.token_bytes(32)
    one = await start(ports[0], peers=store, secret=secret)
    two = await start(ports[1], ports[0])
    await until(lambda: one.connected == 1)
    await one.peering.Ban(peering_pb2.BanRequest(peer_id=two.peer_id))
    await until(lambda: one.connected == 0)
    await one.network.close()

    again = await start(
        ports[0], peers=store, secret=secret, advertisements=MemoryAdvertisementStore()
    )
    third = await start(ports[2], ports[0])
    await until(lambda: again.connected == 1)

    assert list(again.network.peering.machine.connected) == [third.peer_id]
    await again.peering.Unban(peering_pb2.UnbanRequest(peer_id=two.peer_id))
    await until(lambda: again.connected == 2)


async def test_a_host_refuses_the_peers_that_were_banned_before_it_started(start: Start) -> None:
    ports = own_ports(3)
    banned = await start(ports[1])
    host = open_host(
        parse({"listen": [at(ports[0])]}), secrets.token_bytes(32), banned=[banned.peer_id]
    )
    with suppress(grpc.aio.AioRpcError):
        await banned.peering.Connect(peering_pb2.ConnectRequest(address=at(ports[0])))
    other = await start(ports[2], ports[0])
    await until(lambda: other.connected)

    events: list[Any] = []
    await until(lambda: events.extend(host.drain(1024)) or connected_peers(events))

    assert connected_peers(events) == {other.peer_id}
    host.close()


def connected_peers(events: list[Any]) -> set[str]:
    return {event.peer_id for event in events if type(event).__name__ == "Connected"}


async def test_a_host_that_panics_ends_the_rooms(tmp_path: Path) -> None:
    settings = {"listen": [at(own_ports(1)[0])]}
    host = open_host(parse(settings), secrets.token_bytes(32))

    async def live() -> None:
        async with running(host, tmp_path / "s.sock", **settings):
            host.panic_for_test()
            await asyncio.Event().wait()

    with pytest.raises(BaseExceptionGroup) as caught:
        await live()

    assert caught.group_contains(RuntimeError, match="panic")
