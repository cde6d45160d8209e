"""Receiving for the applications. The rules are in core/receiving/ (DSN-11 to DSN-14)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.applications import Applications, Received
from logos_delivery.core.archive.types import Query as StoreQuery
from logos_delivery.core.receiving.backfill import PAGE, Fetch, Query
from logos_delivery.core.receiving.receiving import (
    Deliver,
    Effect,
    Note,
    Receiving,
    StoredMessage,
)
from logos_delivery.core.relay.relay_guard import Pass
from logos_delivery.operations.groups import Groups
from logos_delivery.operations.history import MAX_TRIED, HistoryOperations
from logos_module.driver import Driver

COMPLETE: Final = "complete_ms"
REMEMBERED: Final = 65_536
MAX_GROUP: Final = 256
"""Messages that are appended in one transaction."""


class ReceiveOperations:
    """The received messages of one node. Enter `running` first."""

    def __init__(
        self,
        applications: Applications,
        history: HistoryOperations,
        unix_ms: Callable[[], int],
        *,
        is_backfilled: bool,
        told: Callable[[], None],
    ) -> None:
        """`told` is called whenever events were appended."""
        self._applications = applications
        self._history = history
        self._unix_ms = unix_ms
        self._told = told
        self._machine = Receiving(is_backfilled=is_backfilled, stores=MAX_TRIED)
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, unix_ms)
        self._waiting = Groups(self._receive, max_size=MAX_GROUP)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Goes on where it was, and works for as long as the context is open."""
        hashes = await self._applications.newest_hashes(REMEMBERED)
        complete_ms = await self._applications.noted(COMPLETE)
        if complete_ms is None:  # the first start: nothing of before is missing
            complete_ms = self._unix_ms()
            await self._applications.note(COMPLETE, complete_ms)
        async with self._driver.running(), asyncio.TaskGroup() as tasks:
            appending = tasks.create_task(self._waiting.run())
            self._driver.put(self._machine.load, hashes, complete_ms)
            yield
            appending.cancel()

    def take(self, accepted: Pass) -> None:
        """Receives an accepted message, if this node subscribes to its content topic."""
        self._driver.put(self._machine.received, accepted.pubsub_topic, accepted.message)

    def subscribed(self, content_topic: str, pubsub_topic: str) -> None:
        """Messages of a content topic are wanted from now on."""
        self._driver.put(self._machine.subscribed, content_topic, pubsub_topic)

    def unsubscribed(self, content_topic: str) -> None:
        """They are not wanted any more."""
        self._driver.put(self._machine.unsubscribed, content_topic)

    def connected(self, *, is_online: bool) -> None:
        """Whether this node is connected to any other now."""
        self._driver.put(self._machine.connected, is_online)

    def missed(self, since_ms: int) -> None:
        """Messages since then, Unix time, may be missing, though this node was online."""
        self._driver.put(self._machine.missed, since_ms)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Deliver():
                self._waiting.put(effect)
            case Note(complete_ms):
                self._driver.start(self._note(complete_ms))
            case Query():
                self._driver.start(self._query(effect))
            case Fetch():
                self._driver.start(self._fetch(effect))

    async def _receive(self, group: list[Deliver]) -> None:
        received = [Received(one.message_hash, one.pubsub_topic, one.message) for one in group]
        try:
            await self._applications.receive(received, self._unix_ms())
        except LogosError:
            for one in received:
                stamp_ns = one.message.timestamp_ns
                self._driver.report(self._machine.undelivered, one.message_hash, stamp_ns)
            return
        for one in received:
            self._driver.report(self._machine.delivered, one.message_hash)
        self._told()

    async def _note(self, complete_ms: int) -> None:
        try:
            await self._applications.note(COMPLETE, complete_ms)
        except LogosError:
            return  # more is asked of a store after the next start

    async def _query(self, asked: Query) -> None:
        query = StoreQuery(
            asked.pubsub_topic,
            asked.content_topics,
            asked.start_ns,
            asked.end_ns,
            cursor=asked.cursor or None,
            limit=PAGE,
        )
        try:
            page = await self._history.query_store(asked.store, query)
        except LogosError:
            self._driver.report(self._machine.unanswered, asked.query)
            return
        hashes = [entry.hash for entry in page.entries]
        self._driver.report(self._machine.found, asked.query, hashes, page.cursor or b"")

    async def _fetch(self, asked: Fetch) -> None:
        query = StoreQuery(hashes=asked.hashes, include_data=True, limit=PAGE)
        try:
            page = await self._history.query_store(asked.store, query)
        except LogosError:
            self._driver.report(self._machine.unanswered, asked.query)
            return
        stored = [
            StoredMessage(entry.pubsub_topic, entry.message)
            for entry in page.entries
            if entry.message is not None
        ]
        self._driver.report(self._machine.fetched, asked.query, stored)
