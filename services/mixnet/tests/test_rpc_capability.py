"""Services by `logos.network.v1.Discovery`, between nodes on a switchboard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from mixnet_nodes import ManualClock, RunningNode, fake_address, refused, until

from logos.network.v1 import discovery_pb2 as pb
from logos.network.v1.streams_pb2 import ListenRequest
from logos_mixnet.core.capability.distance import service_id_of
from logos_mixnet.core.capability.records import open_advertisement
from logos_mixnet.core.capability.wire import PROTOCOL
from logos_mixnet.core.errors import StoreError
from mixnet_memory_stores import MemoryOfferStore

Start = Callable[..., Awaitable[RunningNode]]
CHAT = "/chat/1.0.0"


async def star(start_node: Start, count: int, **settings: Any) -> list[RunningNode]:
    """Nodes that are all connected to the first, of the profile for testnets."""
    settings = {"discovery_profile": "local", **settings}
    first = await start_node(1, **settings)
    others = [
        await start_node(number, bootstrap=[fake_address(1)], **settings)
        for number in range(2, count + 1)
    ]
    await until(lambda: first.connected == count - 1)
    return [first, *others]


async def advertise(node: RunningNode, service: str = CHAT, **options: Any) -> None:
    await node.discovery.AdvertiseService(pb.AdvertiseServiceRequest(service=service, **options))


async def look_up(node: RunningNode, service: str = CHAT, **options: Any) -> list[pb.ServiceRecord]:
    call = node.discovery.LookUpService(
        pb.LookUpServiceRequest(service=service, **options), timeout=60
    )
    return [response.record async for response in call]


async def until_found(node: RunningNode, count: int, service: str = CHAT) -> list[pb.ServiceRecord]:
    async with asyncio.timeout(60):
        while len(found := await look_up(node, service)) != count:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)
    return found


async def registrar(node: RunningNode) -> pb.GetRegistrarResponse:
    response: pb.GetRegistrarResponse = await node.discovery.GetRegistrar(pb.GetRegistrarRequest())
    return response


async def services(node: RunningNode) -> dict[str, pb.ListServicesResponse.Service]:
    listed = await node.discovery.ListServices(pb.ListServicesRequest())
    return {each.service: each for each in listed.services}


@pytest.fixture
async def follow() -> AsyncIterator[Callable[[RunningNode], Any]]:
    """Watches a service on a node; ends the calls with the test."""
    calls: list[Any] = []

    def follow(node: RunningNode, service: str = CHAT) -> Any:
        calls.append(node.discovery.WatchService(pb.WatchServiceRequest(service=service)))
        return calls[-1]

    yield follow
    for call in calls:
        call.cancel()


async def test_a_service_is_found_by_who_is_not_connected_to_its_node(start_node: Start) -> None:
    _, two, three = await star(start_node, 3)

    await advertise(two, data=b"key")

    [found] = await until_found(three, 1)
    assert (found.peer_id, found.data) == (two.peer_id, b"key")
    assert list(found.addresses) == [fake_address(2)]
    signed = open_advertisement(found.signed_record, service_id_of(CHAT))
    assert signed.record.seq == found.seq
    assert three.host.known_addresses[two.peer_id] == {fake_address(2)}
    assert await look_up(two) == []
    assert not (await look_up(three, "/another"))


async def test_data_may_be_absent_or_empty(start_node: Start) -> None:
    _, two, three = await star(start_node, 3)

    await advertise(two, data=b"")
    await advertise(three)

    records = await until_found(two, 1) + await until_found(three, 1)
    assert [each.HasField("data") for each in records] == [False, True]


async def test_watchers_are_told_now_and_at_each_change(
    start_node: Start, follow: Callable[..., Any]
) -> None:
    _, two, three = await star(start_node, 3)
    call = follow(three)
    assert list((await call.read()).records) == []

    await advertise(two, data=b"1")
    [record] = (await asyncio.wait_for(call.read(), 60)).records
    again = follow(three)
    assert [each.seq for each in (await again.read()).records] == [record.seq]

    assert (record.peer_id, record.data) == (two.peer_id, b"1")
    assert three.host.known_addresses[two.peer_id]


async def test_what_is_offered_can_be_listed_and_withdrawn(start_node: Start) -> None:
    one, two = await star(start_node, 2)
    await advertise(two, data=b"x", ttl=Duration(seconds=100))
    await two.network.capability.advertise("/own", b"y")
    await until(lambda: two.network.capability.offering.confirmed == 2)

    listed = await services(two)
    assert (listed[CHAT].data, listed[CHAT].registrars) == (b"x", 1)
    assert (listed["/own"].data, listed["/own"].HasField("until")) == (b"y", False)
    assert listed[CHAT].HasField("until")
    kept = await registrar(one)
    assert {(each.service, each.advertisements) for each in kept.services} == {
        (CHAT, 1),
        ("/own", 1),
    }
    assert (kept.advertisements, kept.capacity, kept.expiry.seconds) == (2, 1000, 60)
    assert kept.answered >= 2
    for _ in range(2):
        await two.discovery.WithdrawService(pb.WithdrawServiceRequest(service=CHAT))

    assert set(await services(two)) == {"/own"}
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "SERVICE_TAKEN"):
        await two.discovery.WithdrawService(pb.WithdrawServiceRequest(service="/own"))
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "SERVICE_TAKEN"):
        await advertise(two, "/own")


async def test_the_routing_table_shows_who_knows_of_an_offer(start_node: Start) -> None:
    one, two = await star(start_node, 2)
    request = pb.GetRoutingTableRequest(service=CHAT)
    await until(lambda: len(two.network.capability.contacts) == 1)
    [before] = (await two.discovery.GetRoutingTable(request)).registrars
    assert (before.peer_id, before.stage) == (one.peer_id, 0)
    assert list(before.addresses) == [fake_address(1)]

    await advertise(two)
    await until(lambda: two.network.capability.offering.confirmed)

    [after] = (await two.discovery.GetRoutingTable(request)).registrars
    assert after.stage == pb.GetRoutingTableResponse.STAGE_CONFIRMED
    assert after.bucket == before.bucket


async def test_offers_outlive_a_restart_until_their_time_is_over(start_node: Start) -> None:
    store, clock = MemoryOfferStore(), ManualClock()
    one = await start_node(1, offers=store, clock=clock)
    await advertise(one, data=b"x", ttl=Duration(seconds=10))
    await advertise(one, "/other", ttl=Duration(seconds=99))
    [before, _] = store.offers

    again = await start_node(2, offers=store, clock=clock)
    assert set(await services(again)) == {CHAT, "/other"}
    clock.ms = before.until_ms or 0
    again.network.capability.offering._offers.put(again.network.capability.offering.machine.tick)

    await until(lambda: len(store.offers) == 1)
    assert set(await services(again)) == {"/other"}


async def test_a_full_disk_refuses_an_offer(start_node: Start) -> None:
    class FullStore(MemoryOfferStore):
        async def save_offers(self, offers: Any, seq: int) -> None:
            raise StoreError("disk full")

    one = await start_node(1, offers=FullStore())

    async with refused(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"):
        await advertise(one)
    await one.network.capability.advertise("/own", b"")

    assert set(await services(one)) == {"/own"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"service": ""}, "INVALID_SERVICE"),
        ({"service": "chat"}, "INVALID_SERVICE"),
        ({"service": "/" + "x" * 140}, "INVALID_SERVICE"),
        ({"data": bytes(34)}, "RECORD_TOO_LARGE"),
        ({"ttl": Duration(seconds=24 * 3600 + 1)}, "INVALID_TTL"),
        ({"ttl": Duration()}, "INVALID_TTL"),
    ],
)
async def test_offers_beyond_the_limits_are_refused(
    start_node: Start, options: dict[str, Any], reason: str
) -> None:
    one = await start_node(1)

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, reason):
        await advertise(one, **options)


async def test_ids_of_services_are_checked_everywhere(
    start_node: Start, follow: Callable[..., Any]
) -> None:
    one = await start_node(1)
    for call in (
        look_up(one, "mix"),
        follow(one, "mix").read(),
        one.discovery.WithdrawService(pb.WithdrawServiceRequest(service="mix")),
        one.discovery.GetRoutingTable(pb.GetRoutingTableRequest(service="mix")),
    ):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_SERVICE"):
            await call


async def test_services_offered_and_watched_are_bounded(
    start_node: Start, follow: Callable[..., Any]
) -> None:
    one = await start_node(1)
    for number in range(64):
        await advertise(one, f"/{number}")
        await follow(one, f"/{number}").read()

    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_SERVICES"):
        await advertise(one, "/more")
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES"):
        await follow(one, "/more").read()


async def test_a_look_up_ends_with_its_limit_or_its_time(start_node: Start) -> None:
    nodes = await star(start_node, 4)
    for node in nodes[1:]:
        await advertise(node)
    await until_found(nodes[0], 3)

    assert len(await look_up(nodes[0], limit=2)) == 2
    for node in nodes[1:]:
        node.network.capability.registrar.driver._perform = lambda _: None  # answers no more
    call = nodes[0].discovery.LookUpService(pb.LookUpServiceRequest(service="/other"), timeout=1)
    assert [response async for response in call] == []


async def test_no_caller_listens_in_the_place_of_the_registrar(start_node: Start) -> None:
    one = await start_node(1)

    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "PROTOCOL_TAKEN"):
        await one.streams.Listen(ListenRequest(protocol=PROTOCOL)).read()


async def test_a_draining_module_ends_watches(
    start_node: Start, follow: Callable[..., Any]
) -> None:
    one = await start_node(1)
    call = follow(one)
    await call.read()

    one.stopping.set()

    async with refused(grpc.StatusCode.UNAVAILABLE, "MODULE_DRAINING"):
        await call.read()
