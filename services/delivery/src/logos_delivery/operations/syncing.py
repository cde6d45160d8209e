"""The archive is kept equal to those of other store nodes. The rules are in core/sync/ (DST-n)."""

import asyncio
import itertools
import logging
import secrets
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from logos_base.errors import LogosError, RemoteFaultError
from logos_base.machine import Answer, Refuse, Ticket
from logos_delivery.core import message as messages
from logos_delivery.core.archive.errors import StorePeerFailedError
from logos_delivery.core.archive.ports import Archive
from logos_delivery.core.archive.types import MAX_HASHES, Entry, Position, Query
from logos_delivery.core.errors import PeerFailedError, StoreNodeMissingError
from logos_delivery.core.ports import MessageStream, MessageStreams, Services
from logos_delivery.core.sync import transfer, wire
from logos_delivery.core.sync.errors import SyncLostError, SyncStalledError, TransferUnwantedError
from logos_delivery.core.sync.index import MAX_IDS
from logos_delivery.core.sync.syncing import (
    MAX_SESSIONS,
    SLACK_MS,
    STALL_MS,
    Blame,
    Close,
    Effect,
    Give,
    Open,
    Report,
    Send,
    Sync,
    Take,
)
from logos_delivery.core.sync.types import NO_HASH
from logos_module.driver import Driver

log = logging.getLogger(__name__)

MAX_TRIED: Final = 3
"""Store nodes that are tried, one after another."""
MAX_TRANSFERS: Final = 32
"""Streams on which messages come, from all peers together."""
MAX_TAKING: Final = 64
"""Messages that are being checked and written."""
PATIENCE_S: Final = STALL_MS / 1000 + 5.0
"""A little longer than the machine's, so that the machine is first to call a stream stalled."""
END_S: Final = 5.0
LOADED: Final = 1_000
"""Positions that are read from the archive at a time."""

Checking = Callable[[str, bytes], Awaitable[None]]
"""Judges a message by its topic and its bytes; raises the error of the rule that it breaks."""
_Effects = list[Effect | Answer | Refuse]


@dataclass(frozen=True, slots=True)
class SyncTimes:
    """When and what is reconciled, in milliseconds (DST-39)."""

    interval_ms: int
    range_ms: int
    offset_ms: int


class SyncOperations:
    """The reconciliations of one node. Enter `running` first."""

    def __init__(
        self,
        archive: Archive,
        streams: MessageStreams,
        services: Services,
        times: SyncTimes,
        unix_ms: Callable[[], int],
        *,
        check: Checking | None,
        store_peers: Sequence[str] = (),
    ) -> None:
        """`check` is None where the network has no rate limits."""
        self._archive = archive
        self._streams = streams
        self._services = services
        self._times = times
        self._unix_ms = unix_ms
        self._check = check
        self._store_peers = store_peers
        self._machine = Sync(
            unix_ms(),
            interval_ms=times.interval_ms,
            range_ms=times.range_ms,
            offset_ms=times.offset_ms,
        )
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, unix_ms)
        self._numbers = itertools.count(1)
        self._outboxes: dict[int, deque[bytes | None]] = {}
        """What is to be sent on each stream; None: its end."""
        self._taking = asyncio.Semaphore(MAX_TAKING)
        self.refused: Counter[str] = Counter()
        """Messages of other store nodes that were not kept, by reason."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Works for as long as the context is open."""
        async with self._driver.running():
            await self._load()
            yield

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """Returns the coroutines that answer other store nodes; the caller runs them."""
        serve = self._streams.serve
        return [
            serve(wire.PROTOCOL, self._serve, wire.MAX_PAYLOAD_BYTES, MAX_SESSIONS),
            serve(transfer.PROTOCOL, self._let_in, transfer.MAX_TRANSFER_BYTES, MAX_TRANSFERS),
            self._services.offer(wire.PROTOCOL),
        ]

    def kept(self, entries: Sequence[Entry]) -> None:
        """The archive has these messages, on disk."""
        for entry in entries:
            self._driver.put(
                self._machine.kept, entry.position, entry.pubsub_topic, entry.kept.content_topic
            )

    async def sync(self, peer: str = "") -> Report:
        """Reconciles with a store node, or one at random; returns once its messages are here.

        Raises:
            SyncBusyError, StoreNodeMissingError
            StorePeerFailedError: It does not answer, or breaks a rule.
        """
        try:
            report: Report = await self._driver.ask(self._machine.start, peer)
        except (RemoteFaultError, SyncLostError, SyncStalledError, PeerFailedError) as error:
            text = f"the reconciliation has failed: {error} ({error.reason})"
            raise StorePeerFailedError(text) from error
        return report

    # -- effects -------------------------------------------------------------------------------

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Open(peer):
                self._driver.start(self._open(peer))
            case Send(stream, raw):
                self._say_on(stream, raw)
            case Close(stream):
                self._say_on(stream, None)
            case Give(peer, hashes):
                self._driver.start(self._give(peer, hashes))
            case Take(_, entry):
                self._driver.start(self._take(entry))
            case Blame(peer, error):
                self.refused[error.reason] += 1
                log.info("a store node broke a rule", extra={"peer": peer, "error": str(error)})

    def _say_on(self, stream: int, raw: bytes | None) -> None:
        outbox = self._outboxes.get(stream)
        if outbox is not None:
            outbox.append(raw)

    async def _load(self) -> None:
        """Tells the machine what the archive has of the time that is compared.

        That includes messages of other nodes, where they share the archive.
        """
        since_ms = self._unix_ms() - self._times.offset_ms - self._times.range_ms - SLACK_MS
        after, count = Position(max(0, since_ms) * 1_000_000, NO_HASH), 0
        while count < MAX_IDS:
            found = await self._archive.positions(after, LOADED)
            for position, pubsub_topic, content_topic in found:
                self._driver.put(self._machine.kept, position, pubsub_topic, content_topic)
            count += len(found)
            if len(found) < LOADED:
                return
            after = found[-1][0]

    async def _open(self, peer: str) -> None:
        failure: LogosError = StoreNodeMissingError("no store node is known that reconciles")
        try:
            await self._load()
            for each in await self._candidates(peer):
                try:
                    async with self._streams.open(
                        each, wire.PROTOCOL, wire.MAX_PAYLOAD_BYTES
                    ) as stream:
                        await self._converse(stream, self._connect, each)
                        return
                except PeerFailedError as error:
                    failure = error
        except LogosError as error:
            failure = error
        self._driver.report(self._machine.not_connected, failure)

    async def _candidates(self, peer: str) -> list[str]:
        if peer:
            return [peer]
        found = list(await self._services.find(wire.PROTOCOL)) or list(self._store_peers)
        secrets.SystemRandom().shuffle(found)
        return found[:MAX_TRIED]

    async def _serve(self, stream: MessageStream) -> None:
        await self._converse(stream, self._greet, stream.peer_id)

    async def _converse(
        self, stream: MessageStream, begin: Callable[[Ticket, int, str, int], _Effects], peer: str
    ) -> None:
        """Sends and receives in turns until one side ends it, or something fails."""
        number = next(self._numbers)
        outbox: deque[bytes | None] = deque()
        self._outboxes[number] = outbox
        try:
            await self._driver.ask(begin, number, peer)
            while not await self._has_said_all(stream, outbox):
                async with asyncio.timeout(PATIENCE_S):
                    raw = await stream.receive()
                if raw is None:
                    break
                await self._driver.ask(self._hear, number, raw)
        except (LogosError, TimeoutError) as error:
            log.info("a reconciliation was cut off", extra={"peer": peer, "error": str(error)})
        finally:
            self._driver.report(self._machine.closed, number)
            del self._outboxes[number]

    async def _has_said_all(self, stream: MessageStream, outbox: deque[bytes | None]) -> bool:
        """Sends what waits to be sent; returns whether that was the last."""
        while outbox:
            raw = outbox.popleft()
            if raw is None:
                await _end(stream)
                return True
            async with asyncio.timeout(PATIENCE_S):
                await stream.send(raw)
        return False

    def _connect(self, ticket: Ticket, number: int, peer: str, now_ms: int) -> _Effects:
        return [*self._machine.connected(number, peer, now_ms), Answer(ticket)]

    def _greet(self, ticket: Ticket, number: int, peer: str, now_ms: int) -> _Effects:
        return [*self._machine.opened(number, peer, now_ms), Answer(ticket)]

    def _hear(self, ticket: Ticket, number: int, raw: bytes, now_ms: int) -> _Effects:
        return [*self._machine.received(number, raw, now_ms), Answer(ticket)]

    # -- messages ------------------------------------------------------------------------------

    async def _give(self, peer: str, hashes: tuple[bytes, ...]) -> None:
        try:
            async with self._streams.open(
                peer, transfer.PROTOCOL, transfer.MAX_TRANSFER_BYTES
            ) as stream:
                async for raw in self._encoded(hashes):
                    async with asyncio.timeout(PATIENCE_S):
                        await stream.send(raw)
                await _end(stream)
        except (LogosError, TimeoutError) as error:
            log.info("messages were not given", extra={"peer": peer, "error": str(error)})

    async def _encoded(self, hashes: tuple[bytes, ...]) -> AsyncIterator[bytes]:
        """Yields messages as they are transferred, without those that are no longer kept."""
        for start in range(0, len(hashes), MAX_HASHES):
            left = set(hashes[start : start + MAX_HASHES])
            while left:
                query = Query(hashes=tuple(left), include_data=True, limit=len(left))
                page = await self._archive.query(query)
                for entry in page.entries:
                    left.discard(entry.hash)
                    raw = transfer.encode(entry)
                    if len(raw) <= transfer.MAX_TRANSFER_BYTES:
                        yield raw
                if not page.entries:
                    break

    async def _let_in(self, stream: MessageStream) -> None:
        """Takes the messages of one stream, until the peer ends it or breaks a rule."""
        if not self._machine.expects(stream.peer_id, self._unix_ms()):
            self.refused[TransferUnwantedError.reason] += 1
            return
        try:
            while True:
                async with asyncio.timeout(transfer.LINGER_MS / 1000):
                    raw = await stream.receive()
                if raw is None:
                    await stream.end()
                    return
                await self._taking.acquire()
                if not await self._driver.ask(self._judge, stream.peer_id, raw):
                    return
        except (LogosError, TimeoutError) as error:
            log.info("a transfer was cut off", extra={"error": str(error)})

    def _judge(self, ticket: Ticket, peer: str, raw: bytes, now_ms: int) -> _Effects:
        effects = self._machine.transferred(peer, raw, now_ms)
        is_taken = any(isinstance(effect, Take) for effect in effects)
        if not is_taken:
            self._taking.release()
        return [*effects, Answer(ticket, is_taken)]

    async def _take(self, entry: Entry) -> None:
        try:
            if self._check is not None:
                await self._check(entry.pubsub_topic, messages.encode(entry.kept))
            await self._archive.put([entry])
        except LogosError as error:
            self.refused[error.reason] += 1
            return
        finally:
            self._taking.release()
        self.kept([entry])


async def _end(stream: MessageStream) -> None:
    """Ends this side, and gives the other a moment to do so: the stream would be reset before."""
    async with asyncio.timeout(END_S):
        await stream.end()
        while await stream.receive() is not None:
            pass
