"""Fetches blocks that this node lacks: one fetch for each tree, shared by its readers.

Spec: docs/protocol/storage.md, STO-30 to STO-36.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from logos_base.errors import LogosError, NetworkDeniedError, StreamLostError
from logos_module.driver import Driver
from logos_module.errors import cause_of
from logos_module.shielded import until_done
from logos_storage.core import wire
from logos_storage.core.batch import check_batch
from logos_storage.core.cid import Cid
from logos_storage.core.errors import (
    FalseDataError,
    FrameMalformedError,
)
from logos_storage.core.fetch import Close, Effect, Fetch, FetchSettings, Open, Request, Search
from logos_storage.core.fetch_manifest import Found
from logos_storage.core.happenings import Fetched, Tell
from logos_storage.core.ports import DatasetRecord, Exchange, Provider, Providers, Tree
from logos_storage.core.types import MonotonicMs
from logos_storage.operations.fetch_manifest import fetch_manifest

log = logging.getLogger(__name__)

WINDOW_BYTES: Final = 32 * 1024 * 1024
FIRST_BATCH_BYTES: Final = 128 * 1024
BATCH_BYTES: Final = 2 * 1024 * 1024


def settings_for(block_size_bytes: int, stall_ms: int) -> FetchSettings:
    """Turns bytes into blocks; every count is at least one."""
    return FetchSettings(
        window_blocks=WINDOW_BYTES // block_size_bytes,
        first_batch_blocks=max(1, FIRST_BATCH_BYTES // block_size_bytes),
        max_batch_blocks=BATCH_BYTES // block_size_bytes,
        stall_ms=stall_ms,
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """One reader of a fetch."""

    number: int
    fetch: "_TreeFetch"

    async def wait(self, first: int, end: int) -> None:
        """Returns once [first, end) is here; everything before `first` is done with.

        Raises:
            NoProvidersError, ProvidersUnreachableError, BadDataError,
            QuotaExceededError, DiskFullError, NetworkDeniedError
        """
        await self.fetch.driver.ask(self.fetch.machine.wait, self.number, first, end)

    def providers(self) -> tuple[str, ...]:
        """Returns the peers that owe blocks now, to this reader or to another of the tree."""
        return self.fetch.machine.owing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetches:
    """The fetches of one node."""

    exchange: Exchange
    providers: Providers
    tasks: asyncio.TaskGroup
    monotonic_ms: MonotonicMs
    stall_ms: int
    tell: Tell
    running: dict[str, "_TreeFetch"] = field(default_factory=dict)
    """By the name of the tree's shape."""

    async def manifest(self, cid: Cid, *, patience_ms: int) -> Found:
        """Fetches and verifies a manifest.

        Raises:
            NoProvidersError, ProvidersUnreachableError, BadDataError, NetworkDeniedError
        """
        return await fetch_manifest(
            cid, self.exchange, self.providers, self.monotonic_ms, patience_ms=patience_ms
        )

    @asynccontextmanager
    async def blocks(
        self,
        record: DatasetRecord,
        tree: Tree,
        span: tuple[int, int],
        *,
        holder: str | None,
        patience_ms: int,
        mark: str = "",
    ) -> AsyncIterator[Reader]:
        """Fetches the blocks of a span that are missing for as long as this is open.

        Args:
            record: The dataset.
            tree: Its tree, open for as long.
            span: The first block and the block after the last.
            holder: A peer to ask before a search has found any: the sender of the manifest.
            patience_ms: The reader fails when no block has arrived for this long.
            mark: Of the call that it is for (STO-42).
        """
        name = tree.shape.name
        fetch = self.running.get(name)
        if fetch is None:
            fetch = self.running[name] = _TreeFetch(self, record, tree)
        reader = fetch.join(*span, patience_ms, holder)
        fetch.mark = fetch.mark or mark
        try:
            yield reader
        finally:
            fetch.leave(reader)
            if not fetch.readers:
                del self.running[name]
                await fetch.close()
                fetch.tell_if_whole()


@dataclass(eq=False, slots=True)
class _Link:
    """The stream to one provider, from `Open` until it ends."""

    peer: str
    outbox: asyncio.Queue[wire.WantBlocks] = field(default_factory=asyncio.Queue)
    asked: dict[int, wire.WantBlocks] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class _TreeFetch:
    """The fetch of one tree: performs what its machine decides."""

    def __init__(self, node: Fetches, record: DatasetRecord, tree: Tree) -> None:
        settings = settings_for(tree.shape.block_size_bytes, node.stall_ms)
        self.machine = Fetch(settings, tree.bitfield)
        self.driver: Driver[Effect] = Driver(self.machine, self._perform, node.monotonic_ms)
        self.readers: set[int] = set()
        self._task = node.tasks.create_task(self.driver.run())
        self._node = node
        self._record = record
        self._tree = tree
        self._limit_bytes = wire.response_limit(
            tree.shape.block_size_bytes, settings.max_batch_blocks
        )
        self._numbers = itertools.count(1)
        self._began_ms = node.monotonic_ms()
        self.mark = ""
        self._links: dict[str, _Link] = {}

    def join(self, first: int, end: int, patience_ms: int, holder: str | None) -> Reader:
        reader = Reader(next(self._numbers), self)
        self.readers.add(reader.number)
        if holder is not None:
            self.driver.put(self.machine.found, (holder,))
        self.driver.put(self.machine.want, reader.number, first, end, patience_ms)
        return reader

    def leave(self, reader: Reader) -> None:
        self.readers.discard(reader.number)
        self.driver.put(self.machine.release, reader.number)

    async def close(self) -> None:
        """Ends all streams, and waits until nothing works on the tree any longer."""
        self.driver.stop()
        await until_done((self._task,))

    def tell_if_whole(self) -> None:
        """Tells that all of the dataset is here now, if other nodes have sent the last of it."""
        senders, manifest = self.machine.senders(), self._record.manifest
        if not senders or not self._tree.bitfield.is_full:
            return
        took_ms = self._node.monotonic_ms() - self._began_ms
        told = Fetched(
            self._record.cid, manifest.filename, manifest.size_bytes, senders, took_ms, self.mark
        )
        self._node.tell(told)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Open(peer=peer):
                link = self._links[peer] = _Link(peer)
                link.task = self.driver.start(self._provide(link))
            case Request(peer=peer, request_id=request_id, ranges=ranges):
                link = self._links[peer]
                request = wire.WantBlocks(request_id, self._tree.shape.tree_cid, ranges)
                link.asked[request_id] = request
                link.outbox.put_nowait(request)
            case Close(peer=peer, reason=reason):
                log.info("provider dropped", extra={"peer": peer, "why": reason.value})
                dropped = self._links.pop(peer, None)
                if dropped is not None and dropped.task is not None:
                    dropped.task.cancel()
            case Search():
                self.driver.start(self._search())

    async def _search(self) -> None:
        try:
            async with aclosing(self._node.providers.find(self._record.cid)) as peers:
                async for peer in peers:
                    self.driver.put(self.machine.found, (peer,))
        except NetworkDeniedError as error:
            self.driver.put(self.machine.fail, error)
        self.driver.put(self.machine.search_ended)

    async def _provide(self, link: _Link) -> None:
        """Talks to one provider until the stream ends or is not wanted."""
        try:
            connection = self._node.exchange.connect(link.peer, limit_bytes=self._limit_bytes)
            async with connection as provider, asyncio.TaskGroup() as tasks:
                self.driver.put(self.machine.opened, link.peer)
                sending = tasks.create_task(_send_requests(provider, link))
                async for response in provider.responses():
                    request = link.asked.pop(response.request_id, None)
                    if request is None:
                        raise FrameMalformedError("response answers no request")
                    tasks.create_task(self._keep(link, request, response))
                sending.cancel()
        except* StreamLostError:
            pass
        except* FalseDataError as group:
            self._refuse(link, str(cause_of(group)))
        except* LogosError as group:  # this node's own fault: of no use to any reader
            self.driver.put(self.machine.fail, cause_of(group))
        finally:
            if self._links.get(link.peer) is link:
                del self._links[link.peer]
                self.driver.put(self.machine.lost, link.peer)

    async def _keep(self, link: _Link, request: wire.WantBlocks, response: wire.Response) -> None:
        self.driver.put(self.machine.arrived, link.peer, request.request_id)
        shape, size = self._tree.shape, self._record.manifest.size_bytes
        batch = await asyncio.to_thread(check_batch, response.body, request, shape, size)
        await self._tree.keep(batch, size)
        kept = frozenset(block.index for block in batch.blocks)
        self.driver.put(self.machine.stored, link.peer, request.request_id, kept)

    def _refuse(self, link: _Link, why: str) -> None:
        log.warning("provider sent false data", extra={"peer": link.peer, "why": why})
        if self._links.get(link.peer) is link:
            self.driver.put(self.machine.refused, link.peer)


async def _send_requests(provider: Provider, link: _Link) -> None:
    while True:
        await provider.request(await link.outbox.get())
