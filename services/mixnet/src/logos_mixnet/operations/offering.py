"""Services that this node offers: signed, stored, and kept registered.

The rules are in core/capability/offers.py and core/capability/advertiser.py.
"""

import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from logos_base.machine import Ticket
from logos_mixnet.core.capability import advertiser, offers
from logos_mixnet.core.capability.asks import Ask, Misbehaved
from logos_mixnet.core.capability.distance import service_id_of
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.capability.offers import Announce, Offer, OfferStore, Revoke, Save
from logos_mixnet.core.capability.wire import Peer
from logos_mixnet.core.errors import StoreError
from logos_mixnet.operations.asking import Asking
from logos_module.driver import Driver

log = logging.getLogger(__name__)


class Offering:
    """The offers of one node and their registrations."""

    def __init__(
        self,
        machine: offers.Offers,
        registrations: advertiser.Advertiser,
        store: OfferStore,
        asking: Asking,
        now_ms: Callable[[], int],
    ) -> None:
        self.machine = machine
        self.registrations = registrations
        self.misbehaved: Counter[str] = Counter()
        """Responses that break a rule, by reason."""
        self.confirmed = 0
        self._store = store
        self._asking = asking
        self._now_ms = now_ms
        self._offers: Driver[offers.Effect] = Driver(machine, self._perform, now_ms)
        self._advertiser: Driver[advertiser.Effect] = Driver(registrations, self._register, now_ms)

    def drivers(self) -> list[Coroutine[Any, Any, None]]:
        """Returns what runs for as long as the node does."""
        return [self._offers.run(), self._advertiser.run()]

    async def load(self, numbers: RecordNumbers) -> None:
        """Takes over the last run's offers, and stores how far the numbers of records go now."""
        kept, reserved = await self._store.load_offers()
        numbers.started(reserved, self._now_ms())
        try:
            await self._store.save_offers(kept, numbers.reserved)
        except StoreError as error:  # e.g. a full disk: they begin with the clock, too
            log.warning("numbers of records not stored", extra={"error": str(error)})
        self._offers.put(self.machine.loaded, kept)

    async def offer(self, service: str, data: bytes | None, ttl_ms: int | None) -> None:
        """Offers a service: for a time, also after a restart; or as long as the node runs."""
        until_ms = None if ttl_ms is None else self._now_ms() + ttl_ms
        await self._offers.ask(self.machine.offer, Offer(service, data, until_ms))

    async def withdraw(self, service: str, *, is_callers: bool) -> None:
        """Offers a service no longer."""

        def step(ticket: Ticket, now_ms: int) -> offers.Effects:
            return self.machine.withdraw(ticket, service, now_ms, is_callers=is_callers)

        await self._offers.ask(step)

    def listed(self) -> list[tuple[Offer, int]]:
        """Returns what is offered, each with the number of registrars that give it out."""
        return [
            (offer, len(self.registrations.registrars_of(service_id_of(offer.service))))
            for offer in self.machine.all()
        ]

    def reached_at(self, addresses: Sequence[bytes]) -> None:
        """Takes the addresses at which this node can be dialled."""
        self._offers.put(self.machine.reached_at, addresses)

    def met(self, peer: Peer) -> None:
        """Takes a peer that may be a registrar."""
        self._advertiser.put(self.registrations.met, peer)

    def _perform(self, effect: offers.Effect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case Announce(service_id, record):
                self._advertiser.put(self.registrations.advertise, service_id, record)
            case Revoke(service_id):
                self._advertiser.put(self.registrations.withdraw, service_id)
            case Save():
                return self._save(effect)
        return None

    async def _save(self, save: Save) -> None:
        try:
            await self._store.save_offers(save.kept, save.reserved)
        except StoreError as error:  # e.g. a full disk
            log.warning("offers not stored", extra={"error": str(error)})
            self._offers.report(self.machine.not_stored, save, error)
        else:
            self._offers.report(self.machine.stored, save)

    def _register(self, effect: advertiser.Effect) -> None:
        match effect:
            case Ask():
                self._advertiser.start(self._ask(effect))
            case Misbehaved(_, reason):
                self.misbehaved[reason] += 1
            case advertiser.Confirmed():
                self.confirmed += 1

    async def _ask(self, ask: Ask) -> None:
        response = await self._asking.ask(ask.peer, ask.message)
        if response is None:
            self._advertiser.report(self.registrations.unanswered, ask.number)
        else:
            self._advertiser.report(self.registrations.answered, ask.number, response)
