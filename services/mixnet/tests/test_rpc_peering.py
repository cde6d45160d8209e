import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from mixnet_fake_host import Switchboard
from mixnet_nodes import (
    ManualClock,
    RunningNode,
    fake_address,
    fake_peer_id,
    fake_signer,
    refused,
    until,
)

from logos.network.v1 import peering_pb2 as pb
from logos_crypto import node_record, rlp
from logos_mixnet.core import peering as core_peering
from logos_mixnet.core.address_book import Ban, Changes, PeerRecord
from logos_module.marks import MARK
from mixnet_memory_stores import MemoryPeerStore

Start = Callable[..., Awaitable[RunningNode]]
Event = pb.WatchPeersResponse
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def peers_of(node: RunningNode, **options: Any) -> list[pb.Peer]:
    return list((await node.peering.ListPeers(pb.ListPeersRequest(**options))).peers)


async def test_nodes_find_one_another_through_one_bootstrap_address(start_node: Start) -> None:
    first = await start_node(1)
    nodes = [first, *[await start_node(n, bootstrap=[fake_address(1)]) for n in range(2, 6)]]

    await until(lambda: all(len(node.host.connections) == 4 for node in nodes))

    for node in nodes:
        identity = await node.peering.GetIdentity(pb.GetIdentityRequest())
        assert identity.peer_id == node.peer_id
        assert identity.connected_peers == 4
        assert list(identity.listen_addresses) == [node.host.address]
    await until(lambda: all(node.statuses[-1] == "4 of 4 peers" for node in nodes))


async def test_a_bootstrap_peer_that_starts_later_is_found(start_node: Start) -> None:
    early = await start_node(1, bootstrap=[fake_address(2)])
    await until(lambda: early.host.dials)

    late = await start_node(2)

    await until(lambda: late.host.connections)


async def test_a_peer_says_all_that_is_known_of_it(start_node: Start) -> None:
    one = await start_node(1)
    two = await start_node(2, bootstrap=[fake_address(1)])
    await until(lambda: two.connected)
    await two.peering.Ping(pb.PingRequest(peer_id=one.peer_id))

    [peer] = await peers_of(two)

    assert (peer.peer_id, list(peer.addresses)) == (one.peer_id, [fake_address(1)])
    assert peer.connected
    assert peer.outbound
    assert peer.bootstrap
    assert peer.round_trip.ToMicroseconds() == 1234
    assert peer.agent == "fake"
    assert "/fake/1" in peer.protocols
    assert peer.HasField("connected_since")
    assert not peer.HasField("next_dial_at")
    assert not peer.HasField("banned_until")
    assert peer.traffic.since.ToMicroseconds() == 1_800_000_000_123_456
    assert (peer.traffic.received_messages, peer.traffic.received_bytes) == (1, 20)
    assert (peer.traffic.sent_messages, peer.traffic.sent_bytes) == (3, 40)


async def test_the_book_is_read_in_pages(start_node: Start) -> None:
    store = MemoryPeerStore()
    names = sorted(fake_peer_id(number) for number in range(10, 35))
    records = tuple(PeerRecord(name, (), wanted=False, last_seen_ms=0) for name in names)
    await store.save_peers(Changes(records, ()))
    one = await start_node(1, peers=store)

    seen: list[str] = []
    token, pages = "", 0
    while token or not pages:
        response = await one.peering.ListPeers(pb.ListPeersRequest(page_size=10, page_token=token))
        seen += [peer.peer_id for peer in response.peers]
        token, pages = response.next_page_token, pages + 1

    assert (seen, pages) == (names, 3)
    assert await peers_of(one, connected_only=True) == []


@pytest.mark.parametrize("options", [{"page_size": -1}, {"page_token": "nonsense"}])
async def test_pages_that_were_never_given_out_are_refused(
    start_node: Start, options: dict[str, Any]
) -> None:
    one = await start_node(1)

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE"):
        await peers_of(one, **options)


async def test_connect_dials_once_and_keeps_the_peer(start_node: Start) -> None:
    one, two = await start_node(1, target_peers=0), await start_node(2, target_peers=0)

    for _ in range(2):
        response = await one.peering.Connect(pb.ConnectRequest(address=fake_address(2)))
        assert response.peer_id == two.peer_id

    assert len(one.host.dials) == 1
    one.host.disconnect(two.peer_id)
    await until(lambda: one.connected)


async def test_connect_says_why_it_cannot(start_node: Start, board: Switchboard) -> None:
    one, two = await start_node(1, target_peers=0), await start_node(2, target_peers=0)

    async with refused(grpc.StatusCode.UNAVAILABLE, "DIAL_FAILED"):
        await one.peering.Connect(pb.ConnectRequest(address=fake_address(99)))
    another_peer = f"{fake_address(2)}/p2p/{fake_peer_id(77)}"
    async with refused(grpc.StatusCode.UNAVAILABLE, "DIAL_FAILED"):
        await one.peering.Connect(pb.ConnectRequest(address=another_peer))
    itself = f"{fake_address(1)}/p2p/{one.peer_id}"
    async with refused(grpc.StatusCode.UNAVAILABLE, "DIAL_FAILED"):
        await one.peering.Connect(pb.ConnectRequest(address=itself))
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ADDRESS"):
        await one.peering.Connect(pb.ConnectRequest(address="127.0.0.1:80"))
    await one.peering.Ban(pb.BanRequest(peer_id=two.peer_id))
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "PEER_BANNED"):
        address = f"{fake_address(2)}/p2p/{two.peer_id}"
        await one.peering.Connect(pb.ConnectRequest(address=address))


async def test_a_disconnected_peer_is_forgotten_also_on_disk(start_node: Start) -> None:
    store = MemoryPeerStore()
    one, two = await start_node(1, peers=store, target_peers=0), await start_node(2, target_peers=0)
    await one.peering.Connect(pb.ConnectRequest(address=fake_address(2)))

    for _ in range(2):
        await one.peering.Disconnect(pb.DisconnectRequest(peer_id=two.peer_id))

    assert not one.host.connections
    assert await peers_of(one) == []
    assert await store.load_peers() == []


async def test_a_ban_closes_refuses_and_outlives_the_process(
    start_node: Start, board: Switchboard
) -> None:
    store = MemoryPeerStore()
    one = await start_node(1, peers=store)
    two = await start_node(2, bootstrap=[fake_address(1)])
    await until(lambda: one.connected)

    await one.peering.Ban(pb.BanRequest(peer_id=two.peer_id, reason="spam"))

    assert not one.host.connections
    [peer] = await peers_of(one)
    assert peer.banned_until.ToJsonString() == "9999-12-31T23:59:59Z"
    assert await store.load_bans() == [Ban(two.peer_id, None, "spam")]
    board.hosts.pop(one.peer_id)
    again = await start_node(3, peers=store)
    assert again.host.banned == {two.peer_id}

    for _ in range(2):
        await again.peering.Unban(pb.UnbanRequest(peer_id=two.peer_id))
    assert again.host.banned == set()
    assert await store.load_bans() == []


async def test_a_ban_ends_with_its_time(start_node: Start) -> None:
    store = MemoryPeerStore()
    one, two = await start_node(1, peers=store), await start_node(2)

    ban = pb.BanRequest(peer_id=two.peer_id, duration=Duration(nanos=50_000_000))
    await one.peering.Ban(ban)
    assert one.host.banned == {two.peer_id}

    await until(lambda: not one.host.banned)
    assert await store.load_bans() == []


@pytest.mark.parametrize(
    ("ban", "reason"),
    [
        (pb.BanRequest(peer_id="x"), "INVALID_PEER_ID"),
        (pb.BanRequest(peer_id=fake_peer_id(1)), "INVALID_PEER_ID"),
        (pb.BanRequest(peer_id=fake_peer_id(2), duration=Duration()), "INVALID_BAN"),
        (pb.BanRequest(peer_id=fake_peer_id(2), duration=Duration(seconds=-1)), "INVALID_BAN"),
        (pb.BanRequest(peer_id=fake_peer_id(2), duration=Duration(seconds=2**38)), "INVALID_BAN"),
        (pb.BanRequest(peer_id=fake_peer_id(2), reason="x" * 201), "INVALID_BAN"),
    ],
)
async def test_bans_that_make_no_sense_are_refused(
    start_node: Start, ban: pb.BanRequest, reason: str
) -> None:
    one = await start_node(1)

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, reason):
        await one.peering.Ban(ban)


async def test_ping_needs_a_peer_that_answers(
    start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_peering, "PING_TIMEOUT_MS", 100)
    one, two = await start_node(1), await start_node(2, bootstrap=[fake_address(1)])
    async with refused(grpc.StatusCode.UNAVAILABLE, "PEER_NOT_CONNECTED"):
        await one.peering.Ping(pb.PingRequest(peer_id=fake_peer_id(9)))
    await until(lambda: one.connected)
    assert (await one.peering.Ping(pb.PingRequest(peer_id=two.peer_id))).round_trip.nanos == 1234000

    one.host.answers_ping = False

    async with refused(grpc.StatusCode.UNAVAILABLE, "PEER_NOT_CONNECTED"):
        await one.peering.Ping(pb.PingRequest(peer_id=two.peer_id))


async def test_a_watcher_sees_who_is_connected_and_then_what_changes(start_node: Start) -> None:
    one = await start_node(1, target_peers=0)
    two = await start_node(2, bootstrap=[fake_address(1)], target_peers=0)
    await until(lambda: one.connected)
    watch = one.peering.WatchPeers(pb.WatchPeersRequest())
    seen = [await watch.read()]

    await one.peering.Ban(pb.BanRequest(peer_id=two.peer_id, reason="spam"))
    await one.peering.Unban(pb.UnbanRequest(peer_id=two.peer_id))
    seen += [await watch.read() for _ in range(3)]

    assert {event.peer_id for event in seen} == {two.peer_id}
    assert sorted(event.event for event in seen) == sorted(
        [
            Event.EVENT_CONNECTED,
            Event.EVENT_BANNED,
            Event.EVENT_DISCONNECTED,
            Event.EVENT_UNBANNED,
        ]
    )
    assert seen[0].event == Event.EVENT_CONNECTED
    watch.cancel()


async def test_a_watcher_is_told_of_failed_dials(start_node: Start) -> None:
    store, wanted = MemoryPeerStore(), fake_peer_id(99)
    record = PeerRecord(wanted, (fake_address(99),), wanted=True, last_seen_ms=0)
    await store.save_peers(Changes((record,), ()))
    one = await start_node(1, peers=store)
    watch = one.peering.WatchPeers(pb.WatchPeersRequest())

    event = await watch.read()

    assert (event.event, event.peer_id) == (Event.EVENT_DIAL_FAILED, wanted)
    assert "refused" in event.detail
    watch.cancel()


async def test_a_draining_module_ends_watches(start_node: Start) -> None:
    one = await start_node(1)
    watch = one.peering.WatchPeers(pb.WatchPeersRequest())
    await until(lambda: list(one.network.peering.watchers))

    one.stopping.set()

    async with refused(grpc.StatusCode.UNAVAILABLE, "MODULE_DRAINING"):
        await watch.read()


async def test_the_book_outlives_the_process(start_node: Start) -> None:
    store = MemoryPeerStore()
    one = await start_node(1)
    two = await start_node(2, bootstrap=[fake_address(1)], peers=store)
    await until(lambda: two.connected)

    await two.network.peering.save()

    three = await start_node(3, peers=store)
    await until(lambda: three.connected)
    assert one.peer_id in three.host.connections


async def test_a_peer_that_is_not_connected_has_no_traffic(start_node: Start) -> None:
    one = await start_node(1, peer_exchange=False)  # nothing else happens when it goes
    two = await start_node(2, bootstrap=[fake_address(1)], peer_exchange=False)
    await until(lambda: two.connected)
    one.host.close()
    await until(lambda: not two.connected)

    [peer] = await peers_of(two)

    assert not peer.HasField("traffic")


async def test_an_isolated_node_has_no_peers_until_it_is_healed(start_node: Start) -> None:
    one = await start_node(1)
    two = await start_node(2, bootstrap=[fake_address(1)])
    await until(lambda: two.connected)
    watch = two.peering.WatchPeers(pb.WatchPeersRequest())
    assert (await watch.read()).event == Event.EVENT_CONNECTED

    await two.peering.Isolate(pb.IsolateRequest(), metadata=[(MARK, "mine")])
    await two.peering.Isolate(pb.IsolateRequest(), metadata=[(MARK, "again")])

    await until(lambda: not two.connected and not one.connected)
    assert (await two.peering.GetIdentity(pb.GetIdentityRequest())).isolated
    assert not (await one.peering.GetIdentity(pb.GetIdentityRequest())).isolated
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "NODE_ISOLATED"):
        await two.peering.Connect(pb.ConnectRequest(address=fake_address(1)))
    await until(lambda: two.statuses[-1] == "0 of 1 peers, isolated")
    await two.peering.Heal(pb.HealRequest())
    await until(lambda: two.connected and one.connected)
    assert not (await two.peering.GetIdentity(pb.GetIdentityRequest())).isolated
    seen = []
    while not seen or seen[-1] != Event.EVENT_CONNECTED:
        seen.append((await watch.read()).event)
    own = {Event.EVENT_ISOLATED, Event.EVENT_HEALED}
    assert [event for event in seen if event in own] == [Event.EVENT_ISOLATED, Event.EVENT_HEALED]
    assert two.isolations == [(True, "mine"), (False, "")], "each is told once"


async def test_tags_and_protections_are_the_callers_and_seen_in_the_list(
    start_node: Start,
) -> None:
    one = await start_node(1)
    two = await start_node(2, bootstrap=[fake_address(1)])
    await until(lambda: one.connected)
    tag = pb.TagRequest(peer_id=two.peer_id, name="t", value=-7)
    await one.peering.Tag(tag)
    await one.peering.Protect(pb.ProtectRequest(peer_id=two.peer_id, name="p"))

    [peer] = await peers_of(one)
    assert (peer.tags, peer.score, peer.protected) == ({"/t": -7}, -7, True)
    assert list(peer.protections) == ["/p"]
    assert peer.address_info[0].confidence == pb.AddressInfo.CONFIDENCE_MEDIUM
    assert peer.address_info[0].HasField("heard_at")
    assert not peer.address_info[0].HasField("reached_at")
    [bootstrap] = await peers_of(two)
    assert (bootstrap.score, bootstrap.protected) == (100, True)
    assert bootstrap.address_info[0].confidence == pb.AddressInfo.CONFIDENCE_INFINITE
    assert bootstrap.address_info[0].HasField("reached_at")

    await one.peering.Untag(pb.UntagRequest(peer_id=two.peer_id, name="t"))
    await one.peering.Unprotect(pb.UnprotectRequest(peer_id=two.peer_id, name="p"))
    [peer] = await peers_of(one)
    assert (peer.tags, peer.score, peer.protected) == ({}, 0, False)


async def test_a_tag_fades(start_node: Start) -> None:
    clock = ManualClock()
    one = await start_node(1, clock=clock)
    peer_id = fake_peer_id(2)
    await one.peering.Ban(pb.BanRequest(peer_id=peer_id))
    await one.peering.Unban(pb.UnbanRequest(peer_id=peer_id))  # now the book has it
    request = pb.TagRequest(peer_id=peer_id, name="t", value=100, lasts=Duration(seconds=10))
    await one.peering.Tag(request)

    clock.ms += 4000

    [peer] = await peers_of(one)
    assert peer.score == 60


@pytest.mark.parametrize(
    "fields",
    [{"name": ""}, {"name": "x" * 65}, {"value": 10**6 + 1}, {"lasts": Duration()}],
    ids=["no name", "long name", "value", "lasts"],
)
async def test_tags_that_are_not_valid_are_refused(
    start_node: Start, fields: dict[str, Any]
) -> None:
    one = await start_node(1)
    request = pb.TagRequest(**{"peer_id": fake_peer_id(2), "name": "t", **fields})

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_TAG"):
        await one.peering.Tag(request)
    if "name" in fields:
        for method, kind in (
            (one.peering.Untag, pb.UntagRequest),
            (one.peering.Protect, pb.ProtectRequest),
            (one.peering.Unprotect, pb.UnprotectRequest),
        ):
            async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_TAG"):
                await method(kind(peer_id=fake_peer_id(2), **fields))


async def test_banned_peers_are_not_protected_and_seventeen_tags_are_too_many(
    start_node: Start,
) -> None:
    one, peer_id = await start_node(1), fake_peer_id(2)
    for at in range(16):
        await one.peering.Tag(pb.TagRequest(peer_id=peer_id, name=f"{at}"))
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_TAGS"):
        await one.peering.Tag(pb.TagRequest(peer_id=peer_id, name="16"))

    await one.peering.Ban(pb.BanRequest(peer_id=peer_id))

    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "PEER_BANNED"):
        await one.peering.Protect(pb.ProtectRequest(peer_id=peer_id, name="p"))


async def test_d6_too_many_peers_are_trimmed_and_told_of(start_node: Start) -> None:
    """The protected peer and the one in its grace period stay; trimming is no fault."""
    clock = ManualClock()
    marks = {"low_peers": 2, "high_peers": 3, "grace_s": 60}
    hub = await start_node(1, clock=clock, target_peers=0, **marks)
    watch = hub.peering.WatchPeers(pb.WatchPeersRequest())
    old = [await start_node(n, target_peers=0) for n in (2, 3, 4)]
    for node in old:
        await node.peering.Connect(pb.ConnectRequest(address=fake_address(1)))
    await until(lambda: hub.connected == 3)
    protect = pb.ProtectRequest(peer_id=old[0].peer_id, name="p")
    await hub.peering.Protect(protect)
    clock.ms += 60_000

    late = await start_node(5, target_peers=0)
    await late.peering.Connect(pb.ConnectRequest(address=fake_address(1)))

    told: list[str] = []
    async with asyncio.timeout(60):
        while len(told) < 2:
            event = await watch.read()
            if event.event == Event.EVENT_TRIMMED:
                told.append(event.peer_id)
    assert set(told) == {old[1].peer_id, old[2].peer_id}
    identity = await hub.peering.GetIdentity(pb.GetIdentityRequest())
    assert identity.counts.trimmed == 2
    assert all(peer.dial_failures == 0 for peer in await peers_of(hub))


async def test_a_node_signs_its_own_record_and_no_other(start_node: Start) -> None:
    node = await start_node(1)
    signer = fake_signer(1)
    pairs: dict[bytes, rlp.Item] = {b"id": b"v4", b"secp256k1": signer.public_key.encoded[4:]}
    request = pb.SignNodeRecordRequest(content=node_record.content(1, pairs))

    answer = await node.peering.SignNodeRecord(request)

    assert answer.signature == signer.sign_v4(request.content)
    pairs[b"secp256k1"] = fake_signer(2).public_key.encoded[4:]
    request = pb.SignNodeRecordRequest(content=node_record.content(1, pairs))
    async with refused(INVALID, "NODE_RECORD_KEY"):
        await node.peering.SignNodeRecord(request)


async def test_a_node_says_where_others_reach_it(start_node: Start) -> None:
    node = await start_node(1)
    away = await start_node(2, announce=["/dns4/node.example/tcp/1", "/ip4/10.1.2.3/tcp/2"])

    found = await node.peering.GetIdentity(pb.GetIdentityRequest())
    other = await away.peering.GetIdentity(pb.GetIdentityRequest())

    assert list(found.announced_addresses) == [fake_address(1)]
    assert list(other.announced_addresses) == ["/ip4/10.1.2.3/tcp/2", "/dns4/node.example/tcp/1"]


async def test_what_is_said_of_peers_is_hearsay_in_the_book(start_node: Start) -> None:
    node = await start_node(1, target_peers=0)
    named = pb.AddAddressesRequest.NamedPeer(
        peer_id=fake_peer_id(2), addresses=[fake_address(2), "/ip4/1.2.3.4/udp/1", "nowhere"]
    )
    own = pb.AddAddressesRequest.NamedPeer(peer_id=node.peer_id, addresses=[fake_address(1)])
    request = pb.AddAddressesRequest(peers=[named, own, named])

    answers = [await node.peering.AddAddresses(request) for _ in range(2)]

    assert [(one.taken, one.new) for one in answers] == [(1, 1), (1, 0)]
    [peer] = await peers_of(node)
    assert (peer.peer_id, list(peer.addresses)) == (fake_peer_id(2), [fake_address(2)])
    assert [one.confidence for one in peer.address_info] == [pb.AddressInfo.CONFIDENCE_LOW]
    assert not peer.protected


async def test_an_address_that_its_source_cannot_know_is_not_believed(start_node: Start) -> None:
    node = await start_node(1, target_peers=0)
    named = [
        pb.AddAddressesRequest.NamedPeer(peer_id=fake_peer_id(2), addresses=[fake_address(2)]),
        *(
            pb.AddAddressesRequest.NamedPeer(
                peer_id=fake_peer_id(each), addresses=[f"/ip4/8.8.8.{each}/tcp/1"]
            )
            for each in range(10, 20)
        ),
    ]
    request = pb.AddAddressesRequest(source_peer_id=fake_peer_id(3), peers=named)

    answer = await node.peering.AddAddresses(request)

    assert answer.taken == 3  # of one network; loopback of a peer that is not here: none
    assert {peer.addresses[0] for peer in await peers_of(node)} == {
        f"/ip4/8.8.8.{each}/tcp/1" for each in range(10, 13)
    }


async def test_too_many_peers_and_ids_that_are_none_are_refused(start_node: Start) -> None:
    node = await start_node(1)
    named = pb.AddAddressesRequest.NamedPeer(peer_id=fake_peer_id(2))
    add = node.peering.AddAddresses
    async with refused(INVALID, "TOO_MANY_PEERS"):
        await add(pb.AddAddressesRequest(peers=[named] * 65))
    async with refused(INVALID, "INVALID_PEER_ID"):
        await add(pb.AddAddressesRequest(source_peer_id="x"))
    nobody = pb.AddAddressesRequest.NamedPeer(peer_id="x")
    async with refused(INVALID, "INVALID_PEER_ID"):
        await add(pb.AddAddressesRequest(peers=[nobody]))
