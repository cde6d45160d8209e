"""The archive gets what it missed while this node was away (DST-41 to DST-43)."""

import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from logos_base.errors import LogosError
from logos_delivery.core import message as messages
from logos_delivery.core.applications import Notes
from logos_delivery.core.archive.admission import refusal_of
from logos_delivery.core.archive.ports import Archive
from logos_delivery.core.archive.resuming import (
    Ask,
    Effect,
    GiveUp,
    Keep,
    Note,
    Resuming,
    away_since,
)
from logos_delivery.core.archive.types import Entry, Page, Query
from logos_delivery.core.errors import StoreNodeMissingError
from logos_delivery.core.relay.errors import RateLimitProofNotJudgedError
from logos_delivery.operations.history import HistoryOperations
from logos_delivery.operations.syncing import Checking
from logos_module.driver import Driver

log = logging.getLogger(__name__)

MAX_TRIED: Final = 3
"""Store nodes that are tried, one after another."""
MISSING_SINCE: Final = "archive_missing_since"
"""The name of the time among this node's notes; 0: none is missing."""
_NS_PER_MS: Final = 1_000_000


class ResumeOperations:
    """What one node does about the time in which it was away. Enter `running` first."""

    def __init__(
        self,
        archive: Archive,
        notes: Notes,
        history: HistoryOperations,
        unix_ms: Callable[[], int],
        *,
        check: Checking | None,
    ) -> None:
        """`check` is None where the network has no rate limits."""
        self._archive = archive
        self._notes = notes
        self._history = history
        self._unix_ms = unix_ms
        self._check = check
        self._machine = Resuming()
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, unix_ms)
        self._peer = ""
        """The store node that is being asked."""
        self._kept = 0
        self._counted: set[bytes] = set()
        """Hashes of what was refused of this page, at most 100 for each try."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works for as long as the context is open. To be entered before messages come."""
        since_ns = await self._away_since()
        async with self._driver.running():
            if since_ns is not None:
                self._driver.put(self._machine.begin, since_ns)
            yield

    async def _away_since(self) -> int | None:
        pending_ns = await self._notes.noted(MISSING_SINCE) or None
        return away_since(pending_ns, await self._archive.newest_ns(), self._unix_ms())

    # -- effects -------------------------------------------------------------------------------

    def _perform(self, effect: Effect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case Ask(query):
                self._driver.start(self._ask(query))
            case Keep(entries):
                self._driver.start(self._keep(entries))
            case Note(since_ns):
                return self._note(since_ns)
            case GiveUp():
                log.warning("missed messages are fetched at the next start: none judges proofs")
        return None

    async def _ask(self, query: Query) -> None:
        try:
            page = await self._page(query)
        except LogosError as error:
            log.info("missed messages were not fetched", extra={"error": str(error)})
            self._driver.report(self._machine.unanswered)
            return
        self._driver.report(self._machine.answered, page)

    async def _page(self, query: Query) -> Page:
        """Asks the same store node for a further page; for a first page one at random."""
        if query.cursor is not None:
            return await self._history.query_others(query, self._peer)
        failure: LogosError = StoreNodeMissingError("no store node is known")
        found = list(await self._history.store_nodes())
        secrets.SystemRandom().shuffle(found)
        for self._peer in found[:MAX_TRIED]:
            try:
                return await self._history.query_others(query, self._peer)
            except LogosError as error:
                failure = error
        raise failure

    async def _keep(self, entries: tuple[Entry, ...]) -> None:
        admitted, is_judged = await self._admitted(entries)
        try:
            self._kept += await self._history.restore(admitted)
        except LogosError as error:
            log.warning("missed messages were not kept", extra={"error": str(error)})
            self._driver.report(self._machine.unanswered)
            return
        if not is_judged:
            self._driver.report(self._machine.unjudged)
            return
        self._counted.clear()
        self._driver.report(self._machine.kept)

    async def _admitted(self, entries: tuple[Entry, ...]) -> tuple[list[Entry], bool]:
        """Returns what is let in of a page, and whether all of it was judged.

        The page ends with the first proof that could not be judged. What is refused counts once,
        however often the page is tried.
        """
        admitted: list[Entry] = []
        for entry in entries:
            try:
                reason = await self._refusal(entry)
            except RateLimitProofNotJudgedError as error:
                log.info("a missed message was not judged", extra={"error": str(error)})
                return admitted, False
            if reason is None:
                admitted.append(entry)
            elif entry.hash not in self._counted:
                self._counted.add(entry.hash)
                self._history.refused[reason] += 1
        return admitted, True

    async def _refusal(self, entry: Entry) -> str | None:
        """Returns why a message of another store node is not kept (DST-38); None: it is.

        Raises:
            RateLimitProofNotJudgedError: Its proof could not be judged now.
        """
        refusal = refusal_of(entry, self._unix_ms() * _NS_PER_MS, is_history=True)
        if refusal is not None or self._check is None:
            return None if refusal is None else refusal.value
        try:
            await self._check(entry.pubsub_topic, messages.encode(entry.kept))
        except RateLimitProofNotJudgedError:
            raise
        except LogosError as error:
            return error.reason
        return None

    async def _note(self, since_ns: int | None) -> None:
        try:
            await self._notes.note(MISSING_SINCE, since_ns or 0)
        except LogosError as error:
            log.warning("what is missing was not noted", extra={"error": str(error)})
        if since_ns is None:
            log.info("missed messages were fetched", extra={"messages": self._kept})
