"""A discoverer: asks registrars for a service, from the farthest bucket to the nearest.

Spec: docs/protocol/discovery.md, DIS-17. Source: LIP-107, "Discoverers".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from logos_base.errors import RemoteFaultError
from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.capability.asks import Ask, Misbehaved
from logos_mixnet.core.capability.cache import AdvertisementCache
from logos_mixnet.core.capability.choice import some_of
from logos_mixnet.core.capability.contacts import Contacts
from logos_mixnet.core.capability.crowding import Crowd
from logos_mixnet.core.capability.distance import BUCKETS, ServiceId
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.multiaddr import ips_of
from logos_mixnet.core.capability.profiles import Profile
from logos_mixnet.core.capability.records import SignedRecord, open_advertisement
from logos_mixnet.core.capability.table import ServiceTable
from logos_mixnet.core.capability.wire import (
    GetAdsRequest,
    Peer,
    decode_get_ads_response,
    encode_request,
)
from logos_mixnet.core.errors import TooManyLookUpsError

MAX_LOOK_UPS: Final = 32


@dataclass(frozen=True, slots=True)
class Found:
    """A look-up has found an advertiser; later ones of the same peer have a greater `seq`."""

    ticket: Ticket
    signed: SignedRecord


Effect = Ask | Misbehaved | Found
Effects = list[Effect | Answer | Refuse]


@dataclass(slots=True)
class _LookUp:
    table: ServiceTable
    bucket: int = 0
    asked_in_bucket: int = 0
    asked: set[PeerId] = field(default_factory=set)
    waiting: set[int] = field(default_factory=set)
    found: dict[PeerId, SignedRecord] = field(default_factory=dict)
    crowd: Crowd = field(default_factory=lambda: Crowd(of_ip=2, of_network=3))


class Discoverer:
    """The look-ups of one node. Not thread-safe."""

    def __init__(
        self,
        own: PeerId,
        profile: Profile,
        contacts: Contacts,
        rng: Rng,
        cache: AdvertisementCache | None = None,
    ) -> None:
        """Takes the cache of the node's own registrar, which is asked first."""
        self._own = own
        self._profile = profile
        self._contacts = contacts
        self._rng = rng
        self._cache = AdvertisementCache() if cache is None else cache
        self._look_ups: dict[Ticket, _LookUp] = {}
        self._asks: dict[int, tuple[Ticket, Peer]] = {}
        self._numbers = count(1)

    def look_up(self, ticket: Ticket, service_id: ServiceId, now_ms: int) -> Effects:
        """Looks for a service; the answer is a tuple of `SignedRecord`, maybe an empty one.

        Each is told with `Found` before, when it is found.

        Refused with `TooManyLookUpsError` while 32 others run.
        """
        if len(self._look_ups) >= MAX_LOOK_UPS:
            return [Refuse(ticket, TooManyLookUpsError(f"{MAX_LOOK_UPS} look-ups are running"))]
        look_up = _LookUp(ServiceTable(service_id, self._own))
        look_up.table.add(some_of(list(self._contacts), len(self._contacts), self._rng))
        self._look_ups[ticket] = look_up
        kept = self._cache.some_of(service_id, self._profile.returned, self._rng)
        found = self._tell(ticket, look_up, [each.signed for each in kept])
        return [*found, *self._go_on(ticket, look_up)]

    def give_up(self, ticket: Ticket, now_ms: int) -> Effects:
        """Ends a look-up whose caller has gone. Idempotent."""
        self._look_ups.pop(ticket, None)
        return []

    def answered(self, number: int, message: bytes, now_ms: int) -> Effects:
        """Takes the response to a request."""
        ticket, peer = self._asks.pop(number)
        look_up = self._look_ups.get(ticket)
        if look_up is None:
            return []
        look_up.waiting.discard(number)
        try:
            response = decode_get_ads_response(message)
        except MessageMalformedError as error:
            return [Misbehaved(peer, error.reason), *self._go_on(ticket, look_up)]
        look_up.table.add(response.closer_peers)
        advertisements = some_of(response.advertisements, self._profile.returned, self._rng)
        collected = self._collect(ticket, look_up, peer, advertisements)
        return [*collected, *self._go_on(ticket, look_up)]

    def unanswered(self, number: int, now_ms: int) -> Effects:
        """Takes note that a peer could not be reached or did not answer."""
        ticket, _ = self._asks.pop(number)
        look_up = self._look_ups.get(ticket)
        if look_up is None:
            return []
        look_up.waiting.discard(number)
        return self._go_on(ticket, look_up)

    def tick(self, now_ms: int) -> Effects:
        """Does nothing: every step follows an outcome."""
        return []

    def next_wake_ms(self) -> int | None:
        """Returns None: every request has an outcome."""
        return None

    def _collect(
        self, ticket: Ticket, look_up: _LookUp, peer: Peer, advertisements: Sequence[bytes]
    ) -> list[Effect]:
        effects: list[Effect] = []
        for raw in advertisements:
            try:
                signed = open_advertisement(raw, look_up.table.service_id)
            except RemoteFaultError as error:
                # The rest of its response is left out.
                return [*effects, Misbehaved(peer, error.reason)]
            effects += self._tell(ticket, look_up, [signed])
        return effects

    def _tell(
        self, ticket: Ticket, look_up: _LookUp, records: Sequence[SignedRecord]
    ) -> list[Found]:
        """Takes records; returns those that are news, and not of this node."""
        taken = [each for each in records if self._take(look_up, each)]
        return [Found(ticket, each) for each in taken if each.record.peer_id != self._own]

    def _take(self, look_up: _LookUp, signed: SignedRecord) -> bool:
        peer_id, ips = signed.record.peer_id, ips_of(signed.record.addresses)
        known = look_up.found.get(peer_id)
        if known is not None:
            if known.record.seq >= signed.record.seq:
                return False
            look_up.crowd.remove(ips_of(known.record.addresses))
            del look_up.found[peer_id]
        has_room = look_up.crowd.has_room(ips)
        if has_room:
            look_up.crowd.add(ips)
            look_up.found[peer_id] = signed
        return has_room

    def _go_on(self, ticket: Ticket, look_up: _LookUp) -> Effects:
        if len(look_up.found) < self._profile.wanted:
            asks = self._next_asks(ticket, look_up)
            if asks or look_up.waiting:
                return [*asks]
        del self._look_ups[ticket]
        found = [each for each in look_up.found.values() if each.record.peer_id != self._own]
        return [Answer(ticket, tuple(some_of(found, self._profile.wanted, self._rng)))]

    def _next_asks(self, ticket: Ticket, look_up: _LookUp) -> list[Ask]:
        """Asks in this bucket, or in the next one once all have answered that were asked here."""
        while look_up.bucket < BUCKETS:
            candidates = [
                peer
                for peer in look_up.table.bucket(look_up.bucket)
                if peer.peer_id not in look_up.asked
            ]
            room = self._profile.queries - look_up.asked_in_bucket
            chosen = some_of(candidates, room, self._rng)
            if chosen or look_up.waiting:
                return [self._ask(ticket, look_up, peer) for peer in chosen]
            look_up.bucket, look_up.asked_in_bucket = look_up.bucket + 1, 0
        return []

    def _ask(self, ticket: Ticket, look_up: _LookUp, peer: Peer) -> Ask:
        number = next(self._numbers)
        look_up.asked_in_bucket += 1
        look_up.asked.add(peer.peer_id)
        look_up.waiting.add(number)
        self._asks[number] = (ticket, peer)
        return Ask(number, peer, encode_request(GetAdsRequest(look_up.table.service_id)))
