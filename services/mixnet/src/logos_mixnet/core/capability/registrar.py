"""A registrar: admits advertisements after a time of waiting, and gives them out.

Nothing is remembered of an advertiser that still waits: its ticket is with it.

Spec: docs/protocol/discovery.md, DIS-9 to DIS-15. Source: LIP-107, "Registrars".
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from logos_base.errors import RemoteFaultError
from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.capability.cache import AdvertisementCache, CachedAdvertisement
from logos_mixnet.core.capability.contacts import Contacts
from logos_mixnet.core.capability.distance import ServiceId
from logos_mixnet.core.capability.errors import MessageMalformedError, RecordOutdatedError
from logos_mixnet.core.capability.ip_tree import UNKNOWN, plain
from logos_mixnet.core.capability.keys import PeerId, Signer
from logos_mixnet.core.capability.multiaddr import IpAddress
from logos_mixnet.core.capability.profiles import Profile
from logos_mixnet.core.capability.records import SignedRecord, open_advertisement
from logos_mixnet.core.capability.tickets import Ticket
from logos_mixnet.core.capability.waiting import LowerBounds, waiting_time_s
from logos_mixnet.core.capability.wire import (
    GetAdsRequest,
    GetAdsResponse,
    RegisterRequest,
    RegisterResponse,
    Status,
    decode_request,
    encode_response,
)


@dataclass(frozen=True, slots=True)
class Respond:
    """Send a response on the stream of a request."""

    request: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the stream of a request that is none."""

    request: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Count a registration that breaks a rule."""

    reason: str


Effect = Respond | Reset | Rejected


@dataclass(frozen=True, slots=True)
class Standing:
    """How a service stands with a registrar."""

    service_id: ServiceId
    name: str
    """As its advertisements say."""
    advertisements: int
    waits_s: int
    """How long a newcomer waits from an address that is like no other."""


class Registrar:
    """The registrar of one node. Not thread-safe."""

    def __init__(self, signer: Signer, profile: Profile, contacts: Contacts, rng: Rng) -> None:
        self.cache = AdvertisementCache()
        self._signer = signer
        self._profile = profile
        self._contacts = contacts
        self._rng = rng
        self._bounds = LowerBounds()

    def requested(
        self, request: int, sender: PeerId, ip: IpAddress | None, message: bytes, now_ms: int
    ) -> Sequence[Effect]:
        """Takes a message from the connection of a peer, and the address of its far end."""
        self.tick(now_ms)
        try:
            asked = decode_request(message)
        except MessageMalformedError as error:
            return [Reset(request, error.reason)]
        if isinstance(asked, GetAdsRequest):
            return [Respond(request, encode_response(self._ads(asked.service_id, sender)))]
        peers = self._contacts.one_of_each_bucket(asked.service_id, sender, self._rng)
        try:
            ticket = self._register(asked, None if ip is None else plain(ip), now_ms)
        except RemoteFaultError as error:
            rejected = RegisterResponse(Status.REJECTED, None, peers)
            return [Respond(request, encode_response(rejected)), Rejected(error.reason)]
        status = Status.CONFIRMED if ticket is None else Status.WAIT
        return [Respond(request, encode_response(RegisterResponse(status, ticket, peers)))]

    def tick(self, now_ms: int) -> Sequence[Effect]:
        """Drops advertisements whose time is over, and with the last of each kind its bound."""
        for entry in self.cache.expire(now_ms):
            for key in (entry.service_id, entry.ip):
                if not self.cache.holds(key):
                    self._bounds.forget(key)
        return []

    def next_wake_ms(self) -> int | None:
        """Returns when the next advertisement expires."""
        return self.cache.next_expiry_ms()

    def standings(self, now_ms: int) -> list[Standing]:
        """Returns how the services stand that it has advertisements of, the largest first."""
        self.tick(now_ms)
        standings = []
        for service_id in self.cache.services():
            waits: dict[Hashable, int] = {service_id: self._wait_s(service_id, Fraction(0))}
            waits_s = self._bounds.apply(waits, now_ms // 1000)
            count = self.cache.count_of(service_id)
            standings.append(Standing(service_id, self.cache.name_of(service_id), count, waits_s))
        return sorted(standings, key=lambda each: (-each.advertisements, each.name))

    def _ads(self, service_id: ServiceId, sender: PeerId) -> GetAdsResponse:
        entries = self.cache.some_of(service_id, self._profile.returned, self._rng)
        return GetAdsResponse(
            tuple(entry.signed.encoded for entry in entries),
            self._contacts.one_of_each_bucket(service_id, sender, self._rng),
        )

    def _register(self, asked: RegisterRequest, ip: IpAddress | None, now_ms: int) -> Ticket | None:
        """Admits an advertisement, or returns a ticket for it."""
        now_s, earlier = now_ms // 1000, asked.ticket
        if earlier is not None:
            earlier.check(
                self._signer.public_key,
                asked.advertisement,
                now_s,
                window_s=self._profile.window_s,
            )
        signed = open_advertisement(asked.advertisement, asked.service_id)
        self._check_newer(asked.service_id, signed)
        waits_s = self._waits_s(asked.service_id, ip)
        t_init_s = now_s if earlier is None else earlier.t_init_s
        left_s = self._bounds.apply(waits_s, now_s) - (now_s - t_init_s)
        if left_s <= 0:
            expires_ms = now_ms + self._profile.expiry_s * 1000
            self.cache.put(CachedAdvertisement(asked.service_id, signed, ip, expires_ms))
            return None
        self._bound(waits_s, now_s)
        left_s = min(left_s, self._profile.expiry_s)
        return Ticket(asked.advertisement, t_init_s, now_s, left_s).signed_by(self._signer)

    def _check_newer(self, service_id: ServiceId, signed: SignedRecord) -> None:
        cached = self.cache.get(service_id, signed.record.peer_id)
        if cached is not None and cached.signed.record.seq > signed.record.seq:
            raise RecordOutdatedError("a newer record of the peer is registered")

    def _waits_s(self, service_id: ServiceId, ip: IpAddress | None) -> dict[Hashable, int]:
        """Returns what the service makes an advertiser wait, and what its address does in all."""
        score = UNKNOWN if ip is None else self.cache.ip_tree.score(ip)
        return {
            service_id: self._wait_s(service_id, Fraction(0)),
            ip: self._wait_s(service_id, score),
        }

    def _wait_s(self, service_id: ServiceId, ip_score: Fraction) -> int:
        return waiting_time_s(
            self._profile,
            cached=len(self.cache),
            cached_of_service=self.cache.count_of(service_id),
            ip_score=ip_score,
        )

    def _bound(self, waits_s: Mapping[Hashable, int], now_s: int) -> None:
        for key, wait_s in waits_s.items():
            if self.cache.holds(key):
                self._bounds.issue(key, min(wait_s, self._profile.expiry_s), now_s)
