"""An advertiser: keeps this node's services registered with a few registrars of each bucket.

Spec: docs/protocol/discovery.md, DIS-16. Source: LIP-107, "Advertisers".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import Final

from logos_mixnet.core.backoff import Backoff, Rng
from logos_mixnet.core.capability.asks import Ask, Misbehaved
from logos_mixnet.core.capability.choice import some_of
from logos_mixnet.core.capability.contacts import Contacts
from logos_mixnet.core.capability.distance import BUCKETS, ServiceId
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.profiles import Profile
from logos_mixnet.core.capability.records import SignedRecord
from logos_mixnet.core.capability.table import ServiceTable
from logos_mixnet.core.capability.tickets import Ticket
from logos_mixnet.core.capability.wire import (
    Peer,
    RegisterRequest,
    RegisterResponse,
    Status,
    decode_register_response,
    encode_request,
)

MAX_SERVICES: Final = 64
CONCURRENT_ASKS: Final = 16
RETRY: Final = Backoff(1_000, 60_000)


class Stage(Enum):
    """How far a registration is."""

    ASKED = "asked"
    WAITING = "waiting"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A registrar gives the advertisement out from now on."""

    service_id: ServiceId
    registrar: PeerId


Effect = Ask | Confirmed | Misbehaved


@dataclass(frozen=True, slots=True)
class Registered:
    """How far an advertisement is with one registrar of the table."""

    peer: Peer
    bucket: int
    stage: Stage | None
    """None: it is not asked."""


@dataclass(slots=True)
class _Registration:
    peer: Peer
    bucket: int
    stage: Stage = Stage.ASKED
    due_ms: int | None = 0
    """When its next step is due; None while it is on its way."""
    ticket: Ticket | None = None


@dataclass(slots=True)
class _Service:
    table: ServiceTable
    record: SignedRecord
    since_ms: int
    registrations: dict[PeerId, _Registration] = field(default_factory=dict)
    resting_ms: dict[PeerId, int] = field(default_factory=dict)
    """Until when a registrar that refused or did not answer is left alone."""
    failures: dict[PeerId, int] = field(default_factory=dict)


class Advertiser:
    """The registrations of one node. Not thread-safe."""

    def __init__(self, own: PeerId, profile: Profile, contacts: Contacts, rng: Rng) -> None:
        self._own = own
        self._profile = profile
        self._contacts = contacts
        self._rng = rng
        self._services: dict[ServiceId, _Service] = {}
        self._asks: dict[int, tuple[_Service, _Registration]] = {}
        self._numbers = count(1)

    def registrars_of(self, service_id: ServiceId) -> list[PeerId]:
        """Returns the registrars that give the advertisement of a service out now."""
        service = self._services.get(service_id)
        found = service.registrations.items() if service is not None else ()
        return [peer_id for peer_id, each in found if each.stage is Stage.CONFIRMED]

    def table_of(self, service_id: ServiceId) -> list[Registered]:
        """Returns the registrars around a service, the farthest first; none without the service."""
        service = self._services.get(service_id)
        if service is None:
            return []
        stages = {peer_id: each.stage for peer_id, each in service.registrations.items()}
        return [
            Registered(peer, bucket, stages.get(peer.peer_id))
            for bucket in range(BUCKETS)
            for peer in service.table.bucket(bucket)
        ]

    def advertise(
        self, service_id: ServiceId, record: SignedRecord, now_ms: int
    ) -> Sequence[Effect]:
        """Begins with a service, or goes on with a newer record of this node.

        What is registered stays so until its time is over; what still waits begins again.
        Raises ValueError beyond 64 services.
        """
        service = self._services.get(service_id)
        if service is None:
            if len(self._services) >= MAX_SERVICES:
                raise ValueError(f"over {MAX_SERVICES} services")
            service = _Service(ServiceTable(service_id, self._own), record, now_ms)
            service.table.add(self._contacts)
            self._services[service_id] = service
        service.record = record
        for each in service.registrations.values():
            if each.stage is Stage.WAITING:
                each.ticket, each.due_ms = None, now_ms
        return self.tick(now_ms)

    def withdraw(self, service_id: ServiceId, now_ms: int) -> Sequence[Effect]:
        """Ends with a service. Registrars give it out until its time is over. Idempotent."""
        self._services.pop(service_id, None)
        return []

    def met(self, peer: Peer, now_ms: int) -> Sequence[Effect]:
        """Takes a peer that is connected and may be a registrar."""
        for service in self._services.values():
            service.table.add([peer])
        return self.tick(now_ms)

    def answered(self, number: int, message: bytes, now_ms: int) -> Sequence[Effect]:
        """Takes the response to a request."""
        asked = self._take(number)
        if asked is None:
            return self.tick(now_ms)
        service, registration = asked
        try:
            response = decode_register_response(message)
        except MessageMalformedError as error:
            self._rest(service, registration, now_ms + self._profile.expiry_s * 1000)
            return [Misbehaved(registration.peer, error.reason), *self.tick(now_ms)]
        service.table.answered(registration.peer.peer_id)
        service.failures.pop(registration.peer.peer_id, None)
        service.table.add(response.closer_peers)
        return [*self._responded(service, registration, response, now_ms), *self.tick(now_ms)]

    def unanswered(self, number: int, now_ms: int) -> Sequence[Effect]:
        """Takes note that a peer could not be reached or did not answer."""
        asked = self._take(number)
        if asked is not None:
            service, registration = asked
            peer_id = registration.peer.peer_id
            service.table.failed(peer_id)
            failures = service.failures.get(peer_id, 0) + 1
            service.failures[peer_id] = failures
            self._rest(service, registration, now_ms + RETRY.delay_ms(failures, self._rng))
        return self.tick(now_ms)

    def tick(self, now_ms: int) -> Sequence[Effect]:
        """Performs what is due, and fills the buckets."""
        effects: list[Effect] = []
        for service in self._services.values():
            self._free(service, now_ms)
            for registration in self._due(service, now_ms):
                if len(self._asks) >= CONCURRENT_ASKS:
                    break
                effects.append(self._ask(service, registration))
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when a registration is due, or a slot opens; None while 16 are on their way."""
        if len(self._asks) >= CONCURRENT_ASKS:
            return None
        times = [time for service in self._services.values() for time in self._times(service)]
        return min(times, default=None)

    def _times(self, service: _Service) -> Iterator[int]:
        for registration in service.registrations.values():
            if registration.due_ms is not None:
                yield registration.due_ms
        yield from service.resting_ms.values()
        first, taken = self._profile.registrations, _taken(service)
        for bucket in service.table.occupied():
            if taken[bucket] < first and _candidates(service, bucket):
                first = taken[bucket]
        if first < self._profile.registrations:
            yield self._opens_ms(service, first)  # later slots open later

    def _due(self, service: _Service, now_ms: int) -> Iterator[_Registration]:
        for registration in service.registrations.values():
            if registration.due_ms is not None and registration.due_ms <= now_ms:
                yield registration
        slots = range(self._profile.registrations)
        opened = sum(self._opens_ms(service, slot) <= now_ms for slot in slots)
        taken = _taken(service)
        for bucket in service.table.occupied():
            if taken[bucket] < opened:
                candidates = _candidates(service, bucket)
                for peer in some_of(candidates, opened - taken[bucket], self._rng):
                    yield _Registration(peer, bucket)

    def _opens_ms(self, service: _Service, slot: int) -> int:
        """Slots open apart from each other, so that their registrations do not end together."""
        apart_ms = self._profile.expiry_s * 1000 // self._profile.registrations
        return service.since_ms + slot * apart_ms

    def _free(self, service: _Service, now_ms: int) -> None:
        for peer_id, registration in list(service.registrations.items()):
            due_ms = registration.due_ms
            if registration.stage is Stage.CONFIRMED and due_ms is not None and due_ms <= now_ms:
                del service.registrations[peer_id]
        for peer_id, until_ms in list(service.resting_ms.items()):
            if until_ms <= now_ms:
                del service.resting_ms[peer_id]
                if peer_id not in service.table:
                    service.failures.pop(peer_id, None)

    def _ask(self, service: _Service, registration: _Registration) -> Ask:
        registration.stage, registration.due_ms = Stage.ASKED, None
        service.registrations[registration.peer.peer_id] = registration
        number = next(self._numbers)
        self._asks[number] = (service, registration)
        request = RegisterRequest(
            service.table.service_id, service.record.encoded, registration.ticket
        )
        return Ask(number, registration.peer, encode_request(request))

    def _take(self, number: int) -> tuple[_Service, _Registration] | None:
        service, registration = self._asks.pop(number)
        if self._services.get(service.table.service_id) is not service:
            return None  # withdrawn meanwhile
        return service, registration

    def _responded(
        self,
        service: _Service,
        registration: _Registration,
        response: RegisterResponse,
        now_ms: int,
    ) -> list[Effect]:
        expiry_ms = self._profile.expiry_s * 1000
        match response.status:
            case Status.CONFIRMED:
                registration.stage, registration.ticket = Stage.CONFIRMED, None
                registration.due_ms = now_ms + expiry_ms
                return [Confirmed(service.table.service_id, registration.peer.peer_id)]
            case Status.WAIT if response.ticket is not None:
                is_current = response.ticket.advertisement == service.record.encoded
                registration.stage = Stage.WAITING
                registration.ticket = response.ticket if is_current else None
                wait_ms = response.ticket.t_wait_for_s * 1000 if is_current else 0
                registration.due_ms = now_ms + min(wait_ms, expiry_ms)
            case _:
                self._rest(service, registration, now_ms + expiry_ms)
        return []

    def _rest(self, service: _Service, registration: _Registration, until_ms: int) -> None:
        peer_id = registration.peer.peer_id
        service.registrations.pop(peer_id, None)
        service.resting_ms[peer_id] = until_ms


def _taken(service: _Service) -> list[int]:
    """Returns how many registrations each bucket has."""
    taken = [0] * BUCKETS
    for each in service.registrations.values():
        taken[each.bucket] += 1
    return taken


def _candidates(service: _Service, bucket: int) -> list[Peer]:
    """Returns the registrars of a bucket that are free to be asked."""
    busy, resting = service.registrations, service.resting_ms
    return [
        peer
        for peer in service.table.bucket(bucket)
        if peer.peer_id not in busy and peer.peer_id not in resting
    ]
