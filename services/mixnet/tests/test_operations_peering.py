"""Peering with a store that fails, and a host that may be slow."""

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from mixnet_fake_host import Switchboard
from mixnet_nodes import RunningNode, fake_address, fake_peer_id, refused, until

from logos.network.v1 import peering_pb2 as pb
from logos_mixnet.core import peering as core
from logos_mixnet.core.address_book import Ban, Changes
from logos_mixnet.core.errors import StoreError
from mixnet_memory_stores import MemoryPeerStore

Start = Callable[..., Awaitable[RunningNode]]


class FailingPeerStore(MemoryPeerStore):
    """Refuses changes while `fails`, as on a full disk; holds them back while `gate` is shut."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.tries = 0

    async def _try(self) -> None:
        self.tries += 1
        await self.gate.wait()
        if self.fails:
            raise StoreError("disk full")

    async def save_peers(self, changes: Changes) -> None:
        await self._try()
        await super().save_peers(changes)

    async def save_ban(self, ban: Ban) -> None:
        await self._try()
        await super().save_ban(ban)

    async def remove_ban(self, peer_id: str) -> None:
        await self._try()
        await super().remove_ban(peer_id)


async def test_a_ban_takes_effect_when_it_is_on_disk(start_node: Start) -> None:
    store = FailingPeerStore()
    one = await start_node(1, peers=store)
    two = await start_node(2, bootstrap=[fake_address(1)])
    await until(lambda: one.connected)
    store.gate.clear()

    async with asyncio.TaskGroup() as tasks:
        banning = tasks.create_task(ban(one, two.peer_id))
        await until(lambda: store.tries)
        assert not one.host.banned
        assert one.host.connections
        store.gate.set()
        await banning

    assert one.host.banned == {two.peer_id}


async def ban(node: RunningNode, peer_id: str) -> None:
    await node.peering.Ban(pb.BanRequest(peer_id=peer_id))


async def test_a_ban_or_its_end_that_cannot_be_stored_has_no_effect(start_node: Start) -> None:
    store, peer_id = FailingPeerStore(), fake_peer_id(2)
    one = await start_node(1, peers=store)
    store.fails = True
    async with refused(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"):
        await ban(one, peer_id)
    assert not one.host.banned

    store.fails = False
    await ban(one, peer_id)
    store.fails = True

    async with refused(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"):
        await one.peering.Unban(pb.UnbanRequest(peer_id=peer_id))
    assert one.host.banned == {peer_id}


async def test_a_ban_whose_end_cannot_be_stored_ends_when_it_can(
    start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "STORE_RETRY_MS", 50)
    store, peer_id = FailingPeerStore(), fake_peer_id(2)
    one = await start_node(1, peers=store)
    request = pb.BanRequest(peer_id=peer_id, duration=Duration(nanos=50_000_000))
    await one.peering.Ban(request)
    store.fails, store.tries = True, 0
    await until(lambda: store.tries >= 3)
    assert one.host.banned == {peer_id}

    store.fails = False

    await until(lambda: not one.host.banned)
    assert await store.load_bans() == []


async def test_a_peer_that_cannot_be_forgotten_on_disk_is_told_and_forgotten_later(
    start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "STORE_RETRY_MS", 50)
    store = FailingPeerStore()
    one, two = await start_node(1, peers=store, target_peers=0), await start_node(2)
    await one.peering.Connect(pb.ConnectRequest(address=fake_address(2)))
    await one.network.peering.save()
    assert await store.load_peers()
    store.fails = True

    async with refused(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"):
        await one.peering.Disconnect(pb.DisconnectRequest(peer_id=two.peer_id))
    store.fails = False

    await until(lambda: not store._peers)
    assert not one.host.connections


async def test_the_book_is_saved_soon_after_it_changed(
    start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "SAVE_DELAY_MS", 50)
    store = FailingPeerStore()
    one = await start_node(1)

    await start_node(2, bootstrap=[fake_address(1)], peers=store)

    await until(lambda: one.peer_id in store._peers)


async def test_a_dial_of_the_machines_own_serves_a_caller_too(
    start_node: Start, board: Switchboard
) -> None:
    one = await start_node(1, bootstrap=[fake_address(2)])
    await until(lambda: one.host.dials)

    board.host(fake_peer_id(2), fake_address(2))

    response = await one.peering.Connect(pb.ConnectRequest(address=fake_address(2)))
    assert response.peer_id == fake_peer_id(2)
