"""Services of others: looked up once, or watched.

The rules are in core/capability/discoverer.py and core/capability/watches.py.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from logos_base.errors import LogosError
from logos_base.machine import Ticket
from logos_mixnet.core.capability import discoverer, watches
from logos_mixnet.core.capability.asks import Ask, Misbehaved
from logos_mixnet.core.capability.distance import ServiceId, service_id_of
from logos_mixnet.core.capability.offers import check_service
from logos_mixnet.core.capability.records import SignedRecord
from logos_mixnet.core.capability.watches import LookUp
from logos_mixnet.operations.asking import Asking
from logos_mixnet.operations.inbox import Inbox
from logos_module.driver import Driver

log = logging.getLogger(__name__)

Changed = Callable[[Sequence[SignedRecord]], None]
"""Takes who offers a service: one verified record of each peer, in the order of the peer ids."""


@dataclass(slots=True)
class _Search:
    """A look-up of a caller's, and what waits for the caller. Bounded as look-ups are."""

    service_id: ServiceId
    ticket: Ticket | None = None
    waiting: deque[SignedRecord] = field(default_factory=deque)

    def take(self) -> SignedRecord | None:
        return self.waiting.popleft() if self.waiting else None


class Finding:
    """The look-ups and watches of one node."""

    def __init__(
        self,
        look_ups: discoverer.Discoverer,
        watched: watches.Watches,
        asking: Asking,
        now_ms: Callable[[], int],
    ) -> None:
        self.misbehaved: Counter[str] = Counter()
        """Responses that break a rule, by reason."""
        self._look_ups = look_ups
        self._watched = watched
        self._asking = asking
        self._discoverer: Driver[discoverer.Effect] = Driver(look_ups, self._query, now_ms)
        self._watches: Driver[watches.Effect] = Driver(watched, self._perform, now_ms)
        self._watchers: dict[ServiceId, list[Changed]] = {}
        self._searches: dict[Ticket, tuple[_Search, Inbox[SignedRecord]]] = {}

    def drivers(self) -> list[Coroutine[Any, Any, None]]:
        """Returns what runs for as long as the node does."""
        return [self._discoverer.run(), self._watches.run()]

    @contextmanager
    def look_up(self, service: str) -> Iterator[Inbox[SignedRecord]]:
        """Looks for a service for as long as the context is open; gives each when it is found.

        A peer may be given again, with a newer record. Raises `InvalidServiceError`; reading
        raises `TooManyLookUpsError`.
        """
        check_service(service)
        search = _Search(service_id_of(service))
        records = Inbox(search.take)
        task = self._discoverer.start(self._search(search, records))
        try:
            yield records
        finally:
            task.cancel()
            if search.ticket is not None:
                self._discoverer.put(self._look_ups.give_up, search.ticket)

    @contextmanager
    def watch(self, service: str, changed: Changed) -> Iterator[None]:
        """Tells who offers a service, now and at each change, for as long as the context is open.

        Raises:
            InvalidServiceError: It is no protocol id.
            TooManyWatchesError: 64 others are watched.
        """
        check_service(service)
        service_id = service_id_of(service)
        self._watched.check_room(service_id)
        watchers = self._watchers.setdefault(service_id, [])
        watchers.append(changed)
        self._watches.put(self._watched.watch, service_id)
        try:
            known = self._watched.records_of(service_id)
            if known:
                changed(known)
            yield
        finally:
            watchers.remove(changed)
            self._watches.put(self._watched.unwatch, service_id)

    def connected(self) -> None:
        """Takes note that this node was alone, and is no longer."""
        self._watches.put(self._watched.connected)

    async def _search(self, search: _Search, records: Inbox[SignedRecord]) -> None:
        def begin(ticket: Ticket, now_ms: int) -> discoverer.Effects:
            search.ticket = ticket
            self._searches[ticket] = search, records
            return self._look_ups.look_up(ticket, search.service_id, now_ms)

        try:
            await self._discoverer.ask(begin)
        except LogosError as error:
            records.end(error)
        else:
            records.end()
        finally:
            if search.ticket is not None:
                self._searches.pop(search.ticket, None)

    def _query(self, effect: discoverer.Effect) -> None:
        match effect:
            case Ask():
                self._discoverer.start(self._ask(effect))
            case Misbehaved(_, reason):
                self.misbehaved[reason] += 1
            case discoverer.Found(ticket, signed) if ticket in self._searches:
                search, records = self._searches[ticket]
                search.waiting.append(signed)
                records.wake()

    async def _ask(self, ask: Ask) -> None:
        response = await self._asking.ask(ask.peer, ask.message)
        if response is None:
            self._discoverer.report(self._look_ups.unanswered, ask.number)
        else:
            self._discoverer.report(self._look_ups.answered, ask.number, response)

    def _perform(self, effect: watches.Effect) -> None:
        match effect:
            case LookUp(service_id):
                self._watches.start(self._look_again(service_id))
            case watches.Changed(service_id, records):
                log.debug("advertisers changed", extra={"advertisers": len(records)})
                for changed in list(self._watchers.get(service_id, ())):
                    changed(records)

    async def _look_again(self, service_id: ServiceId) -> None:
        try:
            found = await self._discoverer.ask(self._look_ups.look_up, service_id)
        except LogosError:  # others' look-ups take all the room
            self._watches.report(self._watched.not_looked_up, service_id)
        else:
            self._watches.report(self._watched.found, service_id, found)
