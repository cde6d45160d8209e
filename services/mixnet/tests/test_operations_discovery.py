"""Discovery with a store that fails, as on a full disk."""

from collections.abc import Awaitable, Callable, Sequence

import grpc
import pytest
from mixnet_nodes import RunningNode, fake_address, refused, until

from logos.network.v1 import discovery_pb2 as pb
from logos_mixnet.core import discovery as core
from logos_mixnet.core.advertisements import Due, MakeDue
from logos_mixnet.core.errors import StoreError
from logos_mixnet.operations import discovery as operations
from mixnet_memory_stores import MemoryAdvertisementStore

Start = Callable[..., Awaitable[RunningNode]]
KEY = b"key"


class FailingAdvertisementStore(MemoryAdvertisementStore):
    """Fails as long as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = False
        self.tries = 0

    def _try(self) -> None:
        self.tries += 1
        if self.fails:
            raise StoreError("disk full")

    async def extend(self, keys: Sequence[bytes], *, expires_ms: int, limit: int) -> None:
        self._try()
        await super().extend(keys, expires_ms=expires_ms, limit=limit)

    async def remove(self, keys: Sequence[bytes]) -> None:
        self._try()
        await super().remove(keys)

    async def take_due(self, now_ms: int, limit: int, make_due: MakeDue | None) -> Due:
        self._try()
        return await super().take_due(now_ms, limit, make_due)


async def test_a_store_that_fails_refuses_changes_and_is_tried_again(
    start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "STORE_RETRY_MS", 50)
    store = FailingAdvertisementStore()
    one = await start_node(1, advertisements=store)
    await start_node(2, bootstrap=[fake_address(1)])
    await one.discovery.Advertise(pb.AdvertiseRequest(keys=[KEY]))
    await until(lambda: KEY in one.host.provided)
    store.fails, store.tries = True, 0

    async with refused(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"):
        await one.discovery.Advertise(pb.AdvertiseRequest(keys=[b"other"]))
    async with refused(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"):
        await one.discovery.Withdraw(pb.WithdrawRequest(keys=[KEY]))
    assert one.host.provided == {KEY}
    one.network.discovery.driver.put(one.network.discovery.machine.peers_changed, 0)
    one.network.discovery.driver.put(one.network.discovery.machine.peers_changed, 1)
    await until(lambda: store.tries >= 5)
    store.fails = False

    await one.discovery.Advertise(pb.AdvertiseRequest(keys=[b"other"]))
    await until(lambda: one.host.provided == {KEY, b"other"})


async def test_an_announcement_that_does_not_end_is_given_up_and_tried_again(
    start_node: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "PROVIDE_TIMEOUT_S", 0.05)
    store = MemoryAdvertisementStore()
    one = await start_node(1, advertisements=store)
    await start_node(2, bootstrap=[fake_address(1)])
    await until(lambda: one.connected)
    provide, asked = one.host.provide, []

    def no_answer(key: bytes) -> int:
        asked.append(key)
        return -1 if len(asked) == 1 else int(provide(key))

    monkeypatch.setattr(one.host, "provide", no_answer)
    await one.discovery.Advertise(pb.AdvertiseRequest(keys=[KEY]))

    await until(lambda: KEY in one.host.provided)
    assert asked == [KEY, KEY]
