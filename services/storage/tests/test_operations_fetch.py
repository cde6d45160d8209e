import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from logos_storage.core.bitfield import Bitfield
from logos_storage.core.cid import MANIFEST, TREE, Cid
from logos_storage.core.manifest import Manifest
from logos_storage.core.ports import DatasetRecord
from logos_storage.operations.fetch import Fetches


class OneProvider:
    """`Providers` and `Exchange` with one peer, whose stream takes its time to end."""

    def __init__(self) -> None:
        self.connected = asyncio.Event()
        self.may_end = asyncio.Event()

    async def find(self, cid: Cid) -> AsyncGenerator[str, None]:
        yield "peer"

    @asynccontextmanager
    async def connect(self, peer: str, *, limit_bytes: int) -> AsyncIterator[Any]:
        try:
            yield SimpleNamespace(responses=self._responses, request=self._request)
        finally:
            while not self.may_end.is_set():
                with suppress(asyncio.CancelledError):
                    await self.may_end.wait()

    async def _responses(self) -> AsyncGenerator[Any, None]:
        self.connected.set()
        await asyncio.Event().wait()
        yield None

    async def _request(self, request: Any) -> None:
        await asyncio.Event().wait()


async def test_a_fetch_ends_before_its_tree_is_let_go_even_where_its_reader_is_cancelled() -> None:
    manifest = Manifest(Cid(TREE, bytes(32)), 65536, 65536)
    record = DatasetRecord(1, Cid(MANIFEST, bytes(32)), manifest, 0, 0)
    tree: Any = SimpleNamespace(shape=manifest.shape, bitfield=Bitfield(1))
    peer: Any = OneProvider()
    is_leaving = asyncio.Event()

    async def read(fetches: Fetches) -> None:
        span = (0, 1)
        async with fetches.blocks(record, tree, span, holder=None, patience_ms=1000):
            await peer.connected.wait()
            is_leaving.set()

    async with asyncio.TaskGroup() as tasks:
        fetches = Fetches(
            exchange=peer,
            providers=peer,
            tasks=tasks,
            monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
            stall_ms=10_000,
            tell=lambda _: None,
        )
        reading = tasks.create_task(read(fetches))
        await is_leaving.wait()
        for _ in range(10):
            reading.cancel()
            await asyncio.sleep(0)

        was_let_go = reading.done()
        peer.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert not was_let_go
    assert not fetches.running
