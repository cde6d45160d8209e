"""Peer exchange and trimming on real hosts over loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from exchange_peers import OTHERS, Party
from mixnet_nodes import RunningNode, at, own_ports, running, until

from logos.network.v1 import peering_pb2 as pb
from logos_crypto import varint

pytest.importorskip("logos_native")

from logos_mixnet.config import parse
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.capability.records import open_record
from logos_mixnet.core.errors import StreamResetError
from logos_mixnet.core.exchange_wire import MAX_SAMPLE, PROTOCOL
from logos_mixnet.core.own_record import OwnRecord
from logos_mixnet.node import open_host
from mixnet_memory_stores import MemoryPeerStore

pytestmark = pytest.mark.native

Start = Callable[..., Awaitable[RunningNode]]
NODES = MAX_SAMPLE + 2
"""The first can name all others to the last in one answer; of more, chance would leave some out."""


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the node of a party. Kademlia of one is not that of another: it finds nobody."""
    async with AsyncExitStack() as stack:

        async def start(party: Party, port: int, *bootstrap: int, **options: Any) -> RunningNode:
            store = options.pop("peers", None)
            settings = {
                "listen": [at(port)],
                "bootstrap": [at(each) for each in bootstrap],
                "kademlia_protocol": f"/kad/{party.number}",
                **options,
            }
            host = open_host(parse(settings), party.secret)
            path = tmp_path / f"{party.number}.sock"
            own = OwnRecord(party.signer, RecordNumbers())
            node = running(host, path, own_record=own, peers=store, **settings)
            return await stack.enter_async_context(node)

        yield start


async def peers_of(node: RunningNode) -> dict[str, Any]:
    listed = await node.peering.ListPeers(pb.ListPeersRequest(page_size=1000))
    return {peer.peer_id: peer for peer in listed.peers}


async def test_a_new_node_that_knows_one_finds_all_by_exchange(start: Start) -> None:
    """Each knows the first alone, and Kademlia finds nobody: what they know, they were told."""
    parties = OTHERS[:NODES]
    first, *others = own_ports(NODES)
    nodes = [await start(parties[0], first, target_peers=0)]
    for party, port in zip(parties[1:-1], others[:-1], strict=True):
        nodes.append(await start(party, port, first, target_peers=1))
    records = nodes[0].network.peering.machine.book.with_records
    await until(lambda: len(records()) == NODES - 2)

    new = await start(parties[-1], others[-1], first, target_peers=NODES)
    await until(lambda: new.connected == NODES - 1)

    known = await peers_of(new)
    assert set(known) == {party.peer_id for party in parties[:-1]}
    assert all(peer.connected for peer in known.values())
    counts = (await new.peering.GetIdentity(pb.GetIdentityRequest())).counts
    assert counts.exchanges_asked > 0
    await until(lambda: len(new.network.peering.machine.book.with_records()) == NODES - 1)
    for party in parties[:-1]:
        entry = new.network.peering.machine.book.get(party.peer_id)
        assert entry is not None
        assert entry.signed is not None
        assert open_record(entry.signed.encoded).record.peer_id == party.signer.public_key.peer_id


async def test_without_exchange_it_finds_only_the_one(start: Start) -> None:
    """The control: nothing else would have told it."""
    first, second, third = own_ports(3)
    hub = await start(OTHERS[0], first, peer_exchange=False)
    one = await start(OTHERS[1], second, first, peer_exchange=False)
    two = await start(OTHERS[2], third, first, peer_exchange=False)
    await until(lambda: hub.connected == 2)

    await asyncio.sleep(2)

    assert set(await peers_of(one)) == set(await peers_of(two)) == {hub.peer_id}


async def test_a_hub_with_too_many_goes_back_to_its_low_mark_and_stays_reachable(
    start: Start,
) -> None:
    ports = own_ports(8)
    quiet = {"target_peers": 0, "peer_exchange": False}
    hub = await start(
        OTHERS[0], ports[0], low_peers=3, high_peers=5, grace_s=0, silence_s=1, **quiet
    )
    spokes = [await start(OTHERS[n], ports[n], **quiet) for n in range(1, 8)]
    kept = spokes[:2]
    for node in kept:
        await hub.peering.Protect(pb.ProtectRequest(peer_id=node.peer_id, name="p"))

    for node in spokes:
        await node.peering.Connect(pb.ConnectRequest(address=at(ports[0])))

    machine = hub.network.peering.machine
    await until(lambda: machine.trimmed >= 3)
    assert {node.peer_id for node in kept} <= set(machine.connected)
    assert len(machine.connected) <= 5 + len(spokes)
    assert all(peer.dial_failures == 0 for peer in (await peers_of(hub)).values())


async def test_garbage_on_a_real_stream_is_reset_and_the_node_goes_on(start: Start) -> None:
    first, second = own_ports(2)
    one = await start(OTHERS[0], first, target_peers=0)
    two = await start(OTHERS[1], second, first)
    held = one.network.peering.machine.book.with_records
    await until(lambda: held() == [two.peer_id])
    counts = one.network.peering.machine.exchange.counts
    refused = counts.refused
    for raw in (b"\xff" * 3, varint.encode(2**20) + b"\0" * 300_000, b"\x05abc"):
        stream = await two.network.streams.open(one.peer_id, PROTOCOL)
        await stream.write(raw)
        stream.close_write()
        with suppress(StreamResetError):  # yamux shows a reset as an end, or as what it is
            assert await stream.read() == []

    await until(lambda: counts.refused == refused + 3)
    found = await two.peering.ExchangePeers(pb.ExchangePeersRequest(peer_id=one.peer_id))
    assert list(found.peers) == []  # it knows no third
    assert counts.served >= 2


async def test_d6_ban_confidence_and_records_outlive_a_restart(
    start: Start, tmp_path: Path
) -> None:
    first, second, third = own_ports(3)
    store = MemoryPeerStore()
    two = await start(OTHERS[1], second)
    three = await start(OTHERS[2], third, second)
    async with AsyncExitStack() as life:
        settings = {"listen": [at(first)], "bootstrap": [at(second)]}
        host = open_host(parse(settings), OTHERS[0].secret)
        own = OwnRecord(OTHERS[0].signer, RecordNumbers())
        node = await life.enter_async_context(
            running(host, tmp_path / "first.sock", own_record=own, peers=store, **settings)
        )
        held = node.network.peering.machine.book.with_records
        await until(lambda: set(held()) == {two.peer_id, three.peer_id})
        await node.peering.Ban(pb.BanRequest(peer_id=three.peer_id))

    banned = [ban.peer_id for ban in await store.load_bans()]
    again = await start(OTHERS[0], first, second, peers=store)

    assert banned == [three.peer_id]
    await until(lambda: again.connected)
    known = await peers_of(again)
    assert known[three.peer_id].HasField("banned_until")
    assert known[three.peer_id].HasField("record_seq")
    assert not known[three.peer_id].connected
    info = known[two.peer_id].address_info[0]
    assert info.confidence == pb.AddressInfo.CONFIDENCE_INFINITE
    shown = await again.peering.ExchangePeers(pb.ExchangePeersRequest())
    assert [peer.peer_id for peer in shown.peers] == [two.peer_id]
