"""Mixes on fake hosts that know one another."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mixnet_fake_host import FakeHost, Switchboard
from mixnet_nodes import fake_peer_id

from logos_mixnet.core.mixing.cover import Profile
from logos_mixnet.core.mixing.keys import MixKey
from logos_mixnet.core.mixing.pool import Mix
from logos_mixnet.core.mixing.taps import TapStore
from logos_mixnet.core.sphinx.address_block import MixAddress
from logos_mixnet.core.sphinx.header import Hop
from logos_mixnet.net.clock import boot_ns, steady_unix_ms
from logos_mixnet.net.host import HostBridge
from logos_mixnet.net.streams import NativeStreams
from logos_mixnet.operations.mix_calls import MixCalls
from logos_mixnet.operations.mixing import Mixing, Options, Surroundings
from logos_mixnet.operations.streams import StreamOperations
from logos_mixnet.operations.taps import MixTap

QUIET = Profile("quiet", 10, 10**12, 5)
"""No loops, and delays of 5 ms."""
HOUR_MS = 3_600_000


class MemoryMixStore:
    """`MixStore` in memory."""

    def __init__(self) -> None:
        self.keys: list[MixKey] = []
        self.tags: dict[int, list[bytes]] = {}
        self.profile: str | None = None
        self.failure: Exception | None = None

    async def load_keys(self) -> list[MixKey]:
        return sorted(self.keys, key=lambda key: -key.epoch)

    async def add_key(self, key: MixKey) -> None:
        self._check()
        self.keys.append(key)

    async def retire(self, epoch: int) -> None:
        self.keys = [key for key in self.keys if key.epoch > epoch]
        self.tags = {at: tags for at, tags in self.tags.items() if at > epoch}

    async def load_tags(self, epoch: int) -> AsyncIterator[bytes]:
        for tags in self.tags.get(epoch, []):
            yield tags

    async def add_tags(self, epoch: int, tags: Sequence[bytes]) -> None:
        self._check()
        if any(key.epoch == epoch for key in self.keys):
            self.tags.setdefault(epoch, []).append(b"".join(tags))

    async def load_profile(self) -> str | None:
        return self.profile

    async def save_profile(self, name: str) -> None:
        self._check()
        self.profile = name

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure


@dataclass
class RunningMix:
    """One mix, its host and its store."""

    number: int
    host: FakeHost
    streams: StreamOperations
    store: MemoryMixStore
    mixing: Mixing
    calls: MixCalls

    @property
    def peer_id(self) -> str:
        return self.host.peer_id

    @property
    def address(self) -> bytes:
        return MixAddress("127.0.0.1", 50_000 + self.number, self.peer_id).encode()

    @property
    def as_mix(self) -> Mix:
        return Mix(self.peer_id, Hop(self.mixing.public_key, self.address))


@asynccontextmanager
async def running_mix(
    board: Switchboard,
    number: int,
    store: MemoryMixStore | None = None,
    *,
    profile: Profile = QUIET,
    key_epoch_ms: int = HOUR_MS,
    is_exit: bool = False,
    guard: Any = None,
    intake: Any = None,
    tap: TapStore | None = None,
) -> AsyncIterator[RunningMix]:
    host = board.host(fake_peer_id(number), f"/ip4/127.0.0.1/tcp/{50_000 + number}")
    bridge, now_ms = HostBridge(host), steady_unix_ms()  # type: ignore[arg-type]
    native = NativeStreams(bridge)
    streams = StreamOperations(native, now_ms)
    native.deliver(streams.machine, streams.driver)
    store = store or MemoryMixStore()
    around = Surroundings(
        host.peer_id,
        streams,
        host.add_address,
        store,
        guard,
        intake,
        now_ms,
        secrets.SystemRandom(),
        secrets.token_bytes,
        None if tap is None else MixTap(host.peer_id, tap, boot_ns),
    )
    mixing = Mixing(around, Options(profile, key_epoch_ms, is_exit=is_exit))
    await mixing.load()
    mix = RunningMix(number, host, streams, store, mixing, MixCalls(mixing, secrets.token_bytes))
    mixing.join(mix.address, lambda _key: None)
    bridge.start()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each) for each in (streams.driver.run(), mixing.run())]
        try:
            yield mix
        finally:
            for task in running:
                task.cancel()
    bridge.close()


@asynccontextmanager
async def mixes(count: int = 5, **options: Any) -> AsyncIterator[list[RunningMix]]:
    """Mixes that know one another."""
    board = Switchboard()
    async with _opened(board, range(1, count + 1), options) as found:
        meet(found)
        yield found


@asynccontextmanager
async def _opened(
    board: Switchboard, numbers: range, options: dict[str, Any]
) -> AsyncIterator[list[RunningMix]]:
    if not numbers:
        yield []
        return
    async with (
        running_mix(board, numbers[0], **options) as first,
        _opened(board, numbers[1:], options) as others,
    ):
        yield [first, *others]


def meet(found: Sequence[RunningMix]) -> None:
    """Tells each of all."""
    for mix in found:
        mix.mixing.mixes_changed([each.as_mix for each in found])
