from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from mixnet_fake_host import Switchboard
from mixnet_nodes import ManualClock, RunningNode, fake_address, refused, until

from logos.network.v1 import discovery_pb2 as pb
from logos_mixnet.rpc import discovery as rpc_discovery
from logos_mixnet.rpc.times import search_time_s
from mixnet_memory_stores import MemoryAdvertisementStore

Start = Callable[..., Awaitable[RunningNode]]
KEY = b"key"


async def advertise(node: RunningNode, *keys: bytes, **options: Any) -> None:
    await node.discovery.Advertise(pb.AdvertiseRequest(keys=keys, **options))


async def look_up(node: RunningNode, key: bytes = KEY, **options: Any) -> list[str]:
    call = node.discovery.LookUp(pb.LookUpRequest(key=key, **options), timeout=60)
    return [response.peer_id async for response in call]


async def star(start_node: Start, count: int) -> list[RunningNode]:
    nodes = [await start_node(1)]
    nodes += [await start_node(n, bootstrap=[fake_address(1)]) for n in range(2, count + 1)]
    await until(lambda: all(len(node.host.connections) == count - 1 for node in nodes))
    return nodes


async def test_providers_are_found_once_each_and_never_oneself(
    start_node: Start, board: Switchboard
) -> None:
    nodes = await star(start_node, 4)
    for node in nodes[:3]:
        await advertise(node, KEY)
    await until(lambda: len(board.providers.get(KEY, {})) == 3)

    assert sorted(await look_up(nodes[3])) == sorted(node.peer_id for node in nodes[:3])
    assert nodes[0].peer_id not in await look_up(nodes[0])
    assert len(await look_up(nodes[3], limit=2)) == 2
    assert await look_up(nodes[3], b"nobody has it") == []


async def test_addresses_of_a_provider_are_known_to_the_host_before_it_is_told_of(
    start_node: Start, board: Switchboard
) -> None:
    one, two = await star(start_node, 2)
    await advertise(one, KEY)
    await until(lambda: board.providers.get(KEY))
    two.host.known_addresses.clear()

    assert await look_up(two) == [one.peer_id]

    assert two.host.known_addresses == {one.peer_id: {fake_address(1)}}


async def test_a_search_that_does_not_end_ends_before_the_callers_deadline(
    start_node: Start, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    remaining: list[float | None] = []

    def soon(remaining_s: float | None) -> float:
        remaining.append(remaining_s)
        return 0.2

    monkeypatch.setattr(rpc_discovery, "search_time_s", soon)
    one, two = await star(start_node, 2)
    await advertise(one, KEY)
    await until(lambda: board.providers.get(KEY))
    two.host.search_hangs = True
    call = two.discovery.LookUp(pb.LookUpRequest(key=KEY), timeout=60)

    found = [response async for response in call]

    assert await call.code() == grpc.StatusCode.OK
    assert {(r.peer_id, *r.addresses) for r in found} <= {(one.peer_id, fake_address(1))}
    [remaining_s] = remaining
    assert remaining_s is not None
    assert 0 < remaining_s < 70  # gRPC rounds it up


def test_a_search_ends_a_little_before_its_deadline() -> None:
    assert search_time_s(None) == 60
    assert search_time_s(1.0) == 0.9
    assert search_time_s(10.0) == 9.9
    assert search_time_s(1e6) == 60


async def test_keys_are_announced_as_soon_as_there_is_a_peer(start_node: Start) -> None:
    one = await start_node(1)
    await advertise(one, KEY)
    assert not one.host.provided

    await start_node(2, bootstrap=[fake_address(1)])

    await until(lambda: KEY in one.host.provided)


async def test_a_key_that_could_not_be_announced_is_tried_again(
    start_node: Start, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _two = await star(start_node, 2)
    provide, tries = one.host.provide, []

    def fail_once(key: bytes) -> int:
        tries.append(key)
        connections = set(one.host.connections)
        if len(tries) == 1:
            one.host.connections.clear()
        request_id: int = provide(key)
        one.host.connections |= connections
        return request_id

    monkeypatch.setattr(one.host, "provide", fail_once)
    await advertise(one, KEY)

    await until(lambda: one.peer_id in board.providers.get(KEY, {}))
    assert tries == [KEY, KEY]


async def test_keys_are_announced_again_after_a_restart(
    start_node: Start, board: Switchboard
) -> None:
    store = MemoryAdvertisementStore()
    one = await start_node(1, advertisements=store)
    await start_node(2, bootstrap=[fake_address(1)])
    await advertise(one, KEY)
    await until(lambda: store._kept[KEY].next_provide_ms)

    again = await start_node(3, advertisements=store, bootstrap=[fake_address(2)])

    await until(lambda: again.peer_id in board.providers[KEY])


async def test_an_advertisement_ends_with_its_time(start_node: Start, board: Switchboard) -> None:
    clock, store = ManualClock(), MemoryAdvertisementStore()
    one = await start_node(1, clock=clock, advertisements=store)
    await start_node(2, bootstrap=[fake_address(1)])
    await advertise(one, KEY, ttl=Duration(seconds=60))
    await until(lambda: KEY in one.host.provided)

    clock.ms += 60_000
    await advertise(one, b"other")

    await until(lambda: KEY not in one.host.provided)
    assert list(store._kept) == [b"other"]


async def test_withdrawn_keys_are_announced_no_longer(
    start_node: Start, board: Switchboard
) -> None:
    one, two = await star(start_node, 2)
    await advertise(one, KEY)
    await until(lambda: KEY in one.host.provided)

    for _ in range(2):
        await one.discovery.Withdraw(pb.WithdrawRequest(keys=[KEY]))

    assert not one.host.provided
    assert await look_up(two) == []


async def test_keys_that_are_withdrawn_while_they_wait_are_not_announced(
    start_node: Start,
) -> None:
    one, _two = await star(start_node, 2)
    keys = [number.to_bytes(4, "big") for number in range(64)]
    handlers = one.network._bridge._handlers
    settle = handlers["ProvideDone"]
    done: list[Any] = []
    handlers["ProvideDone"] = done.extend
    await advertise(one, *keys)
    await until(lambda: len(done) == 16)

    await one.discovery.Withdraw(pb.WithdrawRequest(keys=keys))
    handlers["ProvideDone"] = settle
    settle(done)

    await advertise(one, b"other")
    await until(lambda: b"other" in one.host.provided)
    assert one.host.provided == {b"other"}


async def test_announcing_many_keys_is_paced(
    start_node: Start, board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _two = await star(start_node, 2)
    open_requests: set[int] = set()
    most = 0
    settle = one.network._bridge._handlers["ProvideDone"]
    provide = one.host.provide

    def counted(key: bytes) -> int:
        nonlocal most
        request_id: int = provide(key)
        open_requests.add(request_id)
        most = max(most, len(open_requests))
        return request_id

    def settled(events: list[Any]) -> None:
        open_requests.difference_update(event.request_id for event in events)
        settle(events)

    monkeypatch.setattr(one.host, "provide", counted)
    one.network._bridge._handlers["ProvideDone"] = settled
    keys = [number.to_bytes(4, "big") for number in range(1000)]

    await advertise(one, *keys)

    await until(lambda: len(one.host.provided) == 1000)
    assert most <= 16


@pytest.mark.parametrize(
    ("keys", "options", "reason"),
    [
        ([b""], {}, "INVALID_KEY"),
        ([b"x" * 129], {}, "INVALID_KEY"),
        ([b"x"] * 1001, {}, "INVALID_KEY"),
        ([b"x"], {"ttl": Duration(seconds=24 * 3600 + 1)}, "INVALID_TTL"),
        ([b"x"], {"ttl": Duration()}, "INVALID_TTL"),
    ],
)
async def test_advertisements_beyond_the_limits_are_refused(
    start_node: Start, keys: list[bytes], options: dict[str, Any], reason: str
) -> None:
    one = await start_node(1)

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, reason):
        await advertise(one, *keys, **options)


async def test_keys_over_the_nodes_limit_are_refused(start_node: Start) -> None:
    one = await start_node(1)
    one.network.discovery.machine._max_keys = 2

    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_KEYS"):
        await advertise(one, b"a", b"b", b"c")


async def test_a_look_up_needs_a_key(start_node: Start) -> None:
    one = await start_node(1)

    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_KEY"):
        await look_up(one, b"")
