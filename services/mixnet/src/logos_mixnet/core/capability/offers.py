"""The services that this node offers, and the signed records that say so.

Spec: docs/protocol/discovery.md, DIS-23 (offers), DIS-24 (records).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.capability.distance import ServiceId, service_id_of
from logos_mixnet.core.capability.keys import Signer
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.capability.records import ServiceInfo, SignedRecord, sign_record
from logos_mixnet.core.errors import InvalidServiceError, ServiceTakenError, TooManyServicesError

MAX_SERVICE_BYTES: Final = 140
MAX_SERVICES: Final = 64
"""As many as the advertiser takes (DIS-16)."""
_ANY_ADDRESS: Final = bytes.fromhex("047f000001060001")


@dataclass(frozen=True, slots=True)
class Offer:
    """One service of this node."""

    service: str
    """A protocol id."""
    data: bytes | None = None
    """What is needed to use it, at most 33 bytes."""
    until_ms: int | None = None
    """Unix time; None: as long as this process offers it."""

    @property
    def is_kept(self) -> bool:
        """Whether it outlives the process: it is a caller's, not this module's own."""
        return self.until_ms is not None


@dataclass(frozen=True, slots=True)
class Save:
    """Store what is offered, before anything else; report with `stored` or `not_stored`."""

    offers: Mapping[str, Offer]
    """All that are offered when it is done."""
    seq: int
    """Of the records that follow from it."""
    reserved: int
    """No number is greater that is used before the next one is stored."""
    ticket: Ticket | None = None
    """The question that is answered when it is done."""
    is_callers: bool = False
    """Whether it must be stored to take effect."""

    @property
    def kept(self) -> list[Offer]:
        """Those to be stored."""
        return [each for each in self.offers.values() if each.is_kept]


@dataclass(frozen=True, slots=True)
class Announce:
    """Advertise a service, or go on with a newer record."""

    service_id: ServiceId
    record: SignedRecord


@dataclass(frozen=True, slots=True)
class Revoke:
    """Advertise a service no longer."""

    service_id: ServiceId


Effect = Save | Announce | Revoke
Effects = list[Effect | Answer | Refuse]


class OfferStore(Protocol):
    """Offers of callers, and how far the numbers of records go. Every call is durable."""

    async def load_offers(self) -> tuple[list[Offer], int]:
        """Returns the offers and the number; 0 if nothing was stored."""
        ...

    async def save_offers(self, offers: Sequence[Offer], seq: int) -> None:
        """Writes both in place of what was there."""
        ...


class Offers:
    """What one node offers. Not thread-safe. Saves are performed one at a time."""

    def __init__(self, signer: Signer, numbers: RecordNumbers) -> None:
        self._signer = signer
        self._numbers = numbers
        self._offers: dict[str, Offer] = {}
        self._records: dict[str, SignedRecord] = {}
        self._addresses: tuple[bytes, ...] = ()

    def all(self) -> list[Offer]:
        """Returns what is offered, in the order of the services' ids."""
        return [self._offers[name] for name in sorted(self._offers)]

    def loaded(self, offers: Iterable[Offer], now_ms: int) -> Effects:
        """Takes over what was stored in the last run, and still lasts."""
        lasting = {each.service: each for each in offers if not _is_over(each, now_ms)}
        return self._change({**lasting, **self._offers}, now_ms)

    def reached_at(self, addresses: Sequence[bytes], now_ms: int) -> Effects:
        """Takes the addresses at which this node can be dialled; none of them is no news."""
        if not addresses or tuple(addresses) == self._addresses:
            return []
        self._addresses = tuple(addresses)
        return self._change(self._offers, now_ms)

    def offer(self, ticket: Ticket, offer: Offer, now_ms: int) -> Effects:
        """Offers a service, or goes on with other data or for longer.

        Raises:
            InvalidServiceError: It is no protocol id.
            ServiceTakenError: A caller names a service that this module itself offers.
            TooManyServicesError: 64 others are offered.
            RecordTooLargeError: The data is too long.
        """
        check_service(offer.service)
        self._check_own(offer.service, is_callers=offer.is_kept)
        offers = {**self._offers, offer.service: offer}
        if len(offers) > MAX_SERVICES:
            raise TooManyServicesError(f"this node offers at most {MAX_SERVICES} services")
        self._sign(offer, 0)  # data that is too long must change nothing
        return self._change(offers, now_ms, ticket, is_callers=offer.is_kept)

    def withdraw(self, ticket: Ticket, service: str, now_ms: int, *, is_callers: bool) -> Effects:
        """Offers a service no longer. Idempotent.

        Raises:
            ServiceTakenError: A caller names a service that this module itself offers.
        """
        self._check_own(service, is_callers=is_callers)
        offers = {name: each for name, each in self._offers.items() if name != service}
        return self._change(offers, now_ms, ticket, is_callers=is_callers)

    def stored(self, save: Save, now_ms: int) -> Effects:
        """Takes note that a change is stored, and lets it take effect."""
        effects = self._apply(save)
        return effects if save.ticket is None else [*effects, Answer(save.ticket)]

    def not_stored(self, save: Save, error: Exception, now_ms: int) -> Effects:
        """Takes note that a change could not be stored: a caller's is refused.

        Others take effect all the same: what the module itself offers lasts no longer than the
        process, and the numbers of records begin with the clock, too.
        """
        if save.is_callers and save.ticket is not None:
            return [Refuse(save.ticket, error)]
        return self.stored(save, now_ms)

    def tick(self, now_ms: int) -> Effects:
        """Ends offers whose time is over."""
        lasting = {name: each for name, each in self._offers.items() if not _is_over(each, now_ms)}
        return self._change(lasting, now_ms)

    def next_wake_ms(self) -> int | None:
        """Returns when the next offer ends."""
        ends = (each.until_ms for each in self._offers.values() if each.until_ms is not None)
        return min(ends, default=None)

    def _check_own(self, service: str, *, is_callers: bool) -> None:
        there = self._offers.get(service)
        if is_callers and there is not None and not there.is_kept:
            raise ServiceTakenError(f"this module itself offers {service}")

    def _change(
        self,
        offers: Mapping[str, Offer],
        now_ms: int,
        ticket: Ticket | None = None,
        *,
        is_callers: bool = False,
    ) -> Effects:
        is_news = any(not self._says(each) for each in offers.values())
        if not is_news and offers == self._offers:
            return [] if ticket is None else [Answer(ticket)]
        seq = self._numbers.next() if is_news else 0
        return [Save(dict(offers), seq, self._numbers.reserved, ticket, is_callers)]

    def _says(self, offer: Offer) -> bool:
        """Says whether there is a record of just this, or can be none yet."""
        record = self._records.get(offer.service)
        if record is None or not self._addresses:
            return not self._addresses
        return record.record.addresses == self._addresses and record.record.services == _services(
            offer
        )

    def _apply(self, save: Save) -> Effects:
        gone = self._offers.keys() - save.offers.keys()
        self._offers = dict(save.offers)
        for service in gone:
            self._records.pop(service, None)
        effects: Effects = [Revoke(service_id_of(service)) for service in sorted(gone)]
        for service, offer in sorted(self._offers.items()):
            if not self._says(offer):
                record = self._records[service] = self._sign(offer, save.seq)
                effects.append(Announce(service_id_of(service), record))
        return effects

    def _sign(self, offer: Offer, seq: int) -> SignedRecord:
        return sign_record(self._signer, seq, self._addresses or (_ANY_ADDRESS,), _services(offer))


def check_service(service: str) -> None:
    """Raises `InvalidServiceError` unless it is `/` and up to 139 more bytes."""
    size = len(service.encode())
    if not (service.startswith("/") and 1 < size <= MAX_SERVICE_BYTES):
        raise InvalidServiceError("the id of a service starts with / and has 2 to 140 bytes")


def _services(offer: Offer) -> tuple[ServiceInfo, ...]:
    return (ServiceInfo(offer.service, offer.data),)


def _is_over(offer: Offer, now_ms: int) -> bool:
    return offer.until_ms is not None and offer.until_ms <= now_ms
