import asyncio
from types import SimpleNamespace

import pytest
from mixnet_fake_host import Switchboard
from mixnet_nodes import fake_address, fake_peer_id, until

from logos_mixnet.core.addresses import parse_address
from logos_mixnet.net.host import HostBridge
from logos_mixnet.net.peering import resolve


async def test_a_host_that_panics_ends_the_bridge(board: Switchboard) -> None:
    bridge = HostBridge(board.host(fake_peer_id(1), fake_address(1)))
    bridge.start()

    bridge.host.panic_for_test()

    with pytest.raises(RuntimeError, match="panicked"):
        await asyncio.wait_for(bridge.run(), 60)
    bridge.close()


async def test_an_event_that_cannot_be_handled_ends_the_bridge(board: Switchboard) -> None:
    bridge = HostBridge(board.host(fake_peer_id(1), fake_address(1)))
    bridge.on("Listening", lambda _event: 1 / 0)
    bridge.start()

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(bridge.run(), 60)
    bridge.close()


async def test_answers_of_requests_that_were_given_up_are_dropped(board: Switchboard) -> None:
    bridge = HostBridge(board.host(fake_peer_id(1), fake_address(1)))
    bridge.answers("DialDone")
    bridge.start()
    bridge.answer(bridge.host.dial("/nowhere")).cancel()

    assert (await bridge.answer(bridge.host.dial("/nowhere"))).error == "connection refused"

    assert not bridge._answers
    bridge.close()


async def test_more_events_than_one_drain_takes_all_arrive(board: Switchboard) -> None:
    bridge = HostBridge(board.host(fake_peer_id(1), fake_address(1)))
    seen: list[SimpleNamespace] = []
    bridge.on("Pinged", seen.append)
    bridge.start()

    for number in range(5000):
        bridge.host.emit("Pinged", peer_id="p", round_trip_us=number)
    await until(lambda: len(seen) == 5000)

    assert [event.round_trip_us for event in seen] == list(range(5000))
    bridge.close()


async def test_every_handler_of_an_event_gets_it(board: Switchboard) -> None:
    bridge = HostBridge(board.host(fake_peer_id(1), fake_address(1)))
    seen: list[str] = []
    for name in ("one", "two", "three"):
        bridge.on("Listening", lambda event, name=name: seen.append(f"{name} {event.address}"))
    bridge.start()

    await until(lambda: len(seen) == 3)

    assert seen == [f"{name} {fake_address(1)}" for name in ("one", "two", "three")]
    bridge.close()


async def test_names_are_resolved_before_a_dial() -> None:
    address = await resolve(parse_address(f"/dns4/localhost/tcp/7/p2p/{fake_peer_id(1)}"))

    assert str(address) == f"/ip4/127.0.0.1/tcp/7/p2p/{fake_peer_id(1)}"
    same = parse_address("/ip4/127.0.0.1/tcp/7")
    assert await resolve(same) is same
