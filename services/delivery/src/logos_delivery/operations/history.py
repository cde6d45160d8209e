"""History: this node's archive, and those of others. The rules are in core/archive/ (DST-n)."""

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.archive import answers, wire
from logos_delivery.core.archive.admission import refusal_of
from logos_delivery.core.archive.errors import StorePeerBusyError, StorePeerFailedError
from logos_delivery.core.archive.ports import Archive
from logos_delivery.core.archive.types import Entry, Page, Query
from logos_delivery.core.errors import PeerFailedError, StoreNodeMissingError
from logos_delivery.core.light.rates import ServiceLimits
from logos_delivery.core.ports import MixRequests, Requests, Services
from logos_delivery.core.relay.relay_guard import Pass
from logos_delivery.operations.groups import Groups

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
MIX_TIMEOUT_S: Final = 25.0
MAX_TRIED: Final = 3
"""Store nodes that are asked, one after another."""
MAX_WAITING: Final = 16_384
"""Messages that wait to be written; more are not kept, and counted."""
MAX_GROUP: Final = 1_000
REST_S: Final = 0.1
"""Between two groups: at more than ten messages a second several are written together (DST-15)."""


class HistoryOperations:
    """The history as one node has it."""

    def __init__(
        self,
        archive: Archive | None,
        requests: Requests,
        services: Services,
        unix_ns: Callable[[], int],
        *,
        mix: MixRequests | None = None,
        store_peers: Sequence[str] = (),
    ) -> None:
        """Takes no archive where this node keeps no messages, no mix where it has no mix-net, and
        peers that are asked first.
        """
        self._mix = mix
        self.archive = archive
        self._requests = requests
        self._services = services
        self._unix_ns = unix_ns
        self._store_peers = store_peers
        self._stores: list[str] = []
        self._waiting = Groups(self._write, max_size=MAX_GROUP, rest_s=REST_S)
        self.refused: Counter[str] = Counter()
        """Messages that were not kept, by reason."""
        self.listeners: list[Callable[[Sequence[Entry]], None]] = []
        """Are told of messages that are kept, once they are on disk."""

    def take(self, accepted: Pass) -> None:
        """Keeps an accepted message, if it is one to be kept (DST-12)."""
        if self.archive is None:
            return
        entry = Entry(accepted.message_hash, accepted.pubsub_topic, accepted.message)
        refusal = refusal_of(entry, self._unix_ns())
        if refusal is not None:
            self.refused[refusal.value] += 1
        elif len(self._waiting) >= MAX_WAITING:
            self.refused["ARCHIVE_BUSY"] += 1
        else:
            self._waiting.put(entry)

    async def run(self) -> None:
        """Writes what was taken, until cancelled."""
        await self._waiting.run()

    async def _write(self, group: list[Entry]) -> None:
        if self.archive is None:
            return
        try:
            await self.archive.put(group)
        except LogosError as error:
            self.refused[error.reason] += len(group)
            log.warning("messages not kept", extra={"count": len(group), "error": str(error)})
            return
        self._tell(group)

    async def restore(self, entries: Sequence[Entry]) -> int:
        """Keeps messages of other store nodes, durably; returns how many are new.

        Errors as `Archive.put`.
        """
        if self.archive is None or not entries:
            return 0
        count = await self.archive.put(entries)
        self._tell(entries)
        return count

    def _tell(self, entries: Sequence[Entry]) -> None:
        for listener in self.listeners:
            listener(entries)

    async def query(self, query: Query, peer: str = "") -> Page:
        """Asks this node's archive, or a store node.

        Raises:
            StoreQueryInvalidError, StoreCursorUnknownError
            StoreNodeMissingError: There is no archive, and no store node is known.
            StorePeerFailedError, StorePeerBusyError: Those that were asked do not answer.
            StoreFailedError
        """
        query.check()
        if self.archive is not None and not peer:
            return await self.archive.query(query)
        return await self.query_others(query, peer)

    async def query_others(self, query: Query, peer: str = "") -> Page:
        """Asks a store node, and another where one fails. Errors as `query`."""
        peers = [peer] if peer else await self.store_nodes()
        failure: LogosError = StoreNodeMissingError("no store node is known")
        for each in peers[:MAX_TRIED]:
            try:
                return await self._ask(each, query)
            except (StorePeerFailedError, StorePeerBusyError) as error:
                failure = error
        raise failure

    async def query_store(self, number: int, query: Query) -> Page:
        """Asks one of several store nodes; the first of them is any that answers.

        What one has not, another may have: one that was away lacks that time (DSN-13). Of those
        after the first, one that fails, or is not there, has nothing. Errors as `query`.
        """
        if number == 0:
            return await self.query_others(query)
        stores = await self.store_nodes()
        try:
            return await self._ask(stores[number], query) if number < len(stores) else Page()
        except (StorePeerFailedError, StorePeerBusyError):
            return Page()

    async def store_nodes(self) -> Sequence[str]:
        """Returns the store nodes that are known, in the order in which they came to be."""
        found = dict.fromkeys([*self._store_peers, *await self._services.find(wire.PROTOCOL)])
        kept = [one for one in self._stores if one in found]
        self._stores = [*kept, *(one for one in found if one not in kept)]
        return self._stores

    async def present(self, hashes: Sequence[bytes]) -> frozenset[bytes]:
        """Asks a store node which messages it has; errors as `query`."""
        page = await self.query_others(Query(hashes=tuple(hashes), limit=len(hashes)))
        return frozenset(entry.hash for entry in page.entries)

    async def present_by_mix(self, hashes: Sequence[bytes]) -> frozenset[bytes]:
        """As `present`, through the mix-net: the store node does not learn who asks (DSN-10).

        Raises:
            StoreNodeMissingError: There is no mix-net.
            LogosError: Those of `MixRequests.ask`, and of `query`.
        """
        if self._mix is None:
            raise StoreNodeMissingError("this node has no mix-net")
        request = wire.Request(
            secrets.token_hex(16), Query(hashes=tuple(hashes), limit=len(hashes))
        )
        asked = wire.encode_request(request)
        _peer, raw = await self._mix.ask(wire.PROTOCOL, asked, timeout_s=MIX_TIMEOUT_S)
        page = answers.believed(request, wire.decode_response(raw))
        return frozenset(entry.hash for entry in page.entries)

    async def fetch(self, hashes: Sequence[bytes]) -> list[Entry]:
        """Looks for messages in this node's archive, and then at store nodes.

        Returns what was found of them; errors as `query`.
        """
        found: dict[bytes, Entry] = {}
        own = [] if self.archive is None else [self.query]
        for ask in [*own, self.query_others]:
            while left := [one for one in hashes if one not in found]:
                page = await ask(Query(hashes=tuple(left), include_data=True, limit=len(left)))
                found |= {entry.hash: entry for entry in page.entries}
                if not page.entries:
                    break
        return list(found.values())

    async def _ask(self, peer: str, query: Query) -> Page:
        request = wire.Request(secrets.token_hex(16), query)
        try:
            raw = await self._requests.ask(
                peer, wire.PROTOCOL, wire.encode_request(request), timeout_s=TIMEOUT_S
            )
        except PeerFailedError as error:
            raise StorePeerFailedError(str(error)) from error
        return answers.believed(request, wire.decode_response(raw))


class StoreAnswers:
    """`ports.Answering`: the archive of this node, for others (DST-9)."""

    def __init__(
        self, archive: Archive, limits: ServiceLimits, monotonic_ms: Callable[[], int]
    ) -> None:
        self._archive = archive
        self._limits = limits
        self._monotonic_ms = monotonic_ms

    async def __call__(self, peer: str, raw: bytes) -> bytes | None:
        if not self._limits.allow(peer, self._monotonic_ms()):
            return wire.encode_response(answers.too_many())
        request: wire.Request | None = None
        try:
            request = wire.decode_request(raw)
            request.query.check()
            found = answers.answer(request, await self._archive.query(request.query))
        except LogosError as error:
            found = answers.refuse(error, request)
        return wire.encode_response(found)
