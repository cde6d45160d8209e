"""A registrar, asked as peers ask it: by messages."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
from capability_draws import ADDRESS, SERVICE, advertisement, damaged, signer
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_mixnet.core.capability.contacts import MAX_CONTACTS, Contacts
from logos_mixnet.core.capability.distance import bucket_of, service_id_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.multiaddr import IpAddress
from logos_mixnet.core.capability.profiles import LOCAL, PUBLIC, Profile
from logos_mixnet.core.capability.registrar import Registrar, Rejected, Reset, Respond
from logos_mixnet.core.capability.tickets import Ticket
from logos_mixnet.core.capability.wire import (
    GetAdsRequest,
    GetAdsResponse,
    Peer,
    RegisterRequest,
    RegisterResponse,
    Status,
    decode_get_ads_response,
    decode_register_response,
    encode_request,
)
from logos_simulation.chance import Chance

MIX = service_id_of(SERVICE)
IP = IPv4Address("1.2.3.4")
FAR_IP = IPv4Address("200.2.3.4")
SENDER = PeerId(b"sender")
OWN = signer(0)
SERVICES = ("/a", "/b", SERVICE)
# Neighbours and strangers, as scores differ by prefixes.
IPS = [IPv4Address(each) for each in ("1.2.3.4", "1.2.3.5", "130.2.3.4", "64.0.0.1")]


class Asked:
    """A registrar and the ways to ask it."""

    def __init__(self, profile: Profile = LOCAL) -> None:
        self.contacts = Contacts()
        self.machine = Registrar(OWN, profile, self.contacts, Chance(1))
        self.now_ms = 1_000_000_000
        self.rejected: list[str] = []

    def send(self, message: bytes, ip: IpAddress | None = IP) -> bytes | None:
        raw = None
        for effect in self.machine.requested(7, SENDER, ip, message, self.now_ms):
            match effect:
                case Respond(7, message):
                    raw = message
                case Rejected(reason):
                    self.rejected.append(reason)
                case Reset():
                    return None
        return raw

    def register(
        self,
        number: int,
        ticket: Ticket | None = None,
        *,
        ip: IpAddress | None = IP,
        seq: int = 1,
        service: str = SERVICE,
    ) -> RegisterResponse:
        advert = advertisement(number, seq=seq, service=service).encoded
        request = RegisterRequest(service_id_of(service), advert, ticket)
        raw = self.send(encode_request(request), ip)
        assert raw is not None
        return decode_register_response(raw)

    def admit(self, number: int, **options: object) -> RegisterResponse:
        """Waits as long as it is told to."""
        response = self.register(number, **options)  # type: ignore[arg-type]
        while response.status is Status.WAIT:
            assert response.ticket is not None
            self.now_ms += response.ticket.t_wait_for_s * 1000
            response = self.register(number, response.ticket, **options)  # type: ignore[arg-type]
        return response

    def ads(self, service: str = SERVICE) -> GetAdsResponse:
        raw = self.send(encode_request(GetAdsRequest(service_id_of(service))))
        assert raw is not None
        return decode_get_ads_response(raw)


@pytest.fixture
def asked() -> Asked:
    return Asked()


def wait_s(response: RegisterResponse) -> int:
    assert response.ticket is not None
    return response.ticket.t_wait_for_s


def test_the_first_request_gets_a_ticket_and_leaves_nothing_behind(asked: Asked) -> None:
    response = asked.register(1)

    assert response.status is Status.WAIT
    assert wait_s(response) == 1
    assert len(asked.machine.cache) == 0
    assert asked.machine.next_wake_ms() is None


def test_d2_waiting_admits(asked: Asked) -> None:
    assert asked.admit(1).status is Status.CONFIRMED
    assert asked.ads().advertisements == (advertisement(1).encoded,)
    assert asked.ads("/other").advertisements == ()


def test_an_advertisement_expires(asked: Asked) -> None:
    asked.admit(1)
    admitted_ms = asked.now_ms

    assert asked.machine.next_wake_ms() == admitted_ms + 60_000
    asked.now_ms = admitted_ms + 59_999
    assert asked.ads().advertisements
    asked.now_ms += 1
    assert not asked.ads().advertisements
    assert asked.machine.next_wake_ms() is None


def test_d2_a_ticket_of_another_registrar_is_rejected(asked: Asked) -> None:
    foreign = Ticket(advertisement(1).encoded, 999_990, 999_999, 1).signed_by(signer(9))

    response = asked.register(1, foreign)

    assert response.status is Status.REJECTED
    assert response.ticket is None
    assert asked.rejected == ["TICKET_SIGNATURE"]


@pytest.mark.parametrize("late_ms", [-1000, -1, 4000, 100_000])
def test_d2_an_early_or_late_ticket_is_rejected(asked: Asked, late_ms: int) -> None:
    ticket = asked.register(1).ticket
    assert ticket is not None
    asked.now_ms += ticket.t_wait_for_s * 1000 + late_ms

    assert asked.register(1, ticket).status is Status.REJECTED
    assert asked.rejected == ["TICKET_WINDOW"]


def test_d2_a_ticket_for_another_advertisement_is_rejected(asked: Asked) -> None:
    ticket = asked.register(1).ticket
    asked.now_ms += 1000

    assert asked.register(2, ticket).status is Status.REJECTED
    assert asked.register(1, ticket, seq=2).status is Status.REJECTED
    assert asked.rejected == ["TICKET_OTHER", "TICKET_OTHER"]


def test_an_advertisement_of_another_service_is_rejected(asked: Asked) -> None:
    request = RegisterRequest(service_id_of("/other"), advertisement(1).encoded)

    raw = asked.send(encode_request(request))

    assert raw is not None
    assert decode_register_response(raw).status is Status.REJECTED
    assert asked.rejected == ["SERVICE_NOT_ADVERTISED"]


def test_a_newer_record_replaces_and_an_older_one_is_rejected(asked: Asked) -> None:
    asked.admit(1, seq=5)

    assert asked.admit(1, seq=6).status is Status.CONFIRMED
    assert asked.register(1, seq=5).status is Status.REJECTED
    assert asked.rejected == ["RECORD_OUTDATED"]
    assert asked.ads().advertisements == (advertisement(1, seq=6).encoded,)
    assert len(asked.machine.cache) == 1


def test_a_peer_has_one_advertisement_of_each_service(asked: Asked) -> None:
    for service in SERVICES:
        asked.admit(1, service=service)

    assert len(asked.machine.cache) == 3


def test_a_full_cache_admits_nobody_until_something_expires() -> None:
    asked = Asked(Profile(capacity=2, expiry_s=60, occupancy_exponent=1, ip_similarity_percent=0))
    for number in (1, 2):
        asked.admit(number, service=f"/{number}")
    response = asked.register(3, service="/3")

    assert wait_s(response) == 60
    while len(asked.machine.cache) == 2:
        assert asked.register(3, service="/3").status is Status.WAIT
        asked.now_ms += 1000
        asked.machine.tick(asked.now_ms)
    assert wait_s(asked.register(3, service="/3")) < 60


def test_neighbours_wait_longer_than_strangers() -> None:
    asked = Asked(PUBLIC)
    asked.admit(1, ip=IP)

    assert wait_s(asked.register(2, ip=IPv4Address("1.2.3.5"))) > 800
    assert wait_s(asked.register(2, ip=FAR_IP, service="/other")) <= 1
    assert wait_s(asked.register(2, ip=None, service="/other")) == 900  # unknown is alike
    assert wait_s(asked.register(2, ip=ip_address("::ffff:1.2.3.4"), service="/other")) > 800


def test_d2_who_comes_again_does_not_wait_shorter() -> None:
    asked = Asked(PUBLIC)
    asked.admit(1, ip=IP)
    first_s = wait_s(asked.register(2, ip=IP))
    asked.admit(3, ip=FAR_IP, service="/other")  # now neither half of the addresses is crowded
    waited_s = (asked.now_ms - 1_000_000_000) // 1000

    again_s = wait_s(asked.register(2, ip=IP))

    assert again_s >= first_s - waited_s


def test_a_crowded_network_does_not_make_others_of_its_service_wait() -> None:
    asked = Asked(PUBLIC)
    asked.admit(1, ip=IP)

    assert wait_s(asked.register(2, ip=IPv4Address("1.2.3.5"))) > 800
    assert wait_s(asked.register(3, ip=FAR_IP)) <= 2


def test_what_has_expired_makes_nobody_wait() -> None:
    asked = Asked(PUBLIC)
    asked.admit(1, ip=IP)
    asked.register(2, ip=IPv4Address("1.2.3.5"))
    asked.register(2, ip=IP)

    asked.now_ms += 900_000

    assert wait_s(asked.register(2, ip=IP)) == 1
    assert len(asked.machine._bounds) == 0


def test_queries_return_ten_at_random(asked: Asked) -> None:
    for number in range(15):
        asked.admit(number, ip=IPv4Address("10.0.0.1"))
    known = {advertisement(number).encoded for number in range(15)}

    returned = [asked.ads().advertisements for _ in range(20)]

    assert all(len(set(each)) == 10 and known.issuperset(each) for each in returned)
    assert set().union(*returned) == known


def test_queries_return_one_of_each_public_network(asked: Asked) -> None:
    crowd = {asked.admit(at, ip=IPv4Address(f"8.8.8.{at}")) and at for at in range(1, 9)}
    asked.admit(9, ip=FAR_IP)
    asked.admit(10, ip=None)
    others = {advertisement(9).encoded, advertisement(10).encoded}

    returned = [set(asked.ads().advertisements) for _ in range(40)]

    assert all(len(each) == 3 and others < each for each in returned)
    assert set().union(*returned) == others | {advertisement(at).encoded for at in crowd}


def test_responses_name_one_contact_of_each_bucket_but_not_the_sender(asked: Asked) -> None:
    peers = [Peer(signer(at).public_key.peer_id, (ADDRESS,)) for at in range(40)]
    for peer in peers:
        asked.contacts.met(peer)
    asked.contacts.met(Peer(SENDER, (ADDRESS,)))
    asked.contacts.met(Peer(PeerId(b"without address")))

    for named in (asked.ads().closer_peers, asked.register(1).closer_peers):
        buckets = [bucket_of(MIX, peer.peer_id) for peer in named]
        assert buckets == sorted({bucket_of(MIX, peer.peer_id) for peer in peers})
        assert set(named) <= set(peers)


def test_contacts_are_bounded_and_the_oldest_go() -> None:
    contacts = Contacts()
    for number in range(MAX_CONTACTS + 1):
        contacts.met(Peer(PeerId(b"%d" % number), (ADDRESS,)))
    contacts.lost(PeerId(b"1"))
    contacts.lost(PeerId(b"1"))

    assert len(contacts) == MAX_CONTACTS - 1
    assert next(iter(contacts)).peer_id == b"2"


@given(damaged(encode_request(RegisterRequest(MIX, advertisement(1).encoded))))
def test_hostile_requests_change_nothing(message: bytes) -> None:
    asked = Asked()

    raw = asked.send(message)

    assert len(asked.machine.cache) == 0
    if raw is not None and message.startswith(b"\x08\x06"):
        assert decode_register_response(raw).status is not Status.CONFIRMED


Step = tuple[int, int, int, int, bool]
steps = st.tuples(
    st.integers(0, 400),  # seconds that pass
    st.integers(0, 4),  # who registers
    st.integers(0, 2),  # which service
    st.integers(0, 3),  # from where
    st.booleans(),  # with the last ticket, or anew
)


@settings(max_examples=40)
@given(st.lists(steps, max_size=25))
def test_d2_random_histories_keep_the_rules(history: list[Step]) -> None:
    """D2, and the bounds of memory: whatever is asked, in whatever order."""
    asked = Asked(Profile(capacity=4, occupancy_exponent=2))
    held: dict[tuple[int, int, int], Ticket] = {}
    issued: list[tuple[int, IpAddress]] = []  # until when, to an address in the cache
    for gap_s, number, service_at, ip_at, has_ticket in history:
        asked.now_ms += gap_s * 1000
        who, service, ip = (number, service_at, ip_at), SERVICES[service_at], IPS[ip_at]
        ticket = held.pop(who, None) if has_ticket else None
        if ticket is not None:
            asked.now_ms = max(asked.now_ms, (ticket.t_mod_s + ticket.t_wait_for_s) * 1000)
        asked.machine.tick(asked.now_ms)
        cache, now_s = asked.machine.cache, asked.now_ms // 1000
        issued = [(end_s, where) for end_s, where in issued if cache.count_from(where)]

        response = asked.register(number, ticket, ip=ip, service=service)

        assert len(cache) <= 4
        if response.status is Status.REJECTED:
            assert asked.rejected.pop() == "TICKET_WINDOW"
            assert ticket is not None
            assert now_s > ticket.t_mod_s + ticket.t_wait_for_s + 1
        elif response.status is Status.CONFIRMED:
            assert ticket is not None
            assert now_s - ticket.t_init_s >= 1
        elif response.ticket is not None:
            held[who] = response.ticket
            assert 1 <= response.ticket.t_wait_for_s <= 900
            assert response.ticket.t_init_s == (now_s if ticket is None else ticket.t_init_s)
            if ticket is None:
                end_s = now_s + response.ticket.t_wait_for_s
                assert end_s >= max((end for end, where in issued if where == ip), default=0)
                issued += [(end_s, ip)] if cache.count_from(ip) else []
        assert len(asked.machine._bounds) <= 2 * len(cache)
        assert len(cache.ip_tree) <= 33 * len(cache)
    where = [asked.machine.cache.count_from(ip) for ip in IPS]
    assert sum(where) == len(asked.machine.cache)


def test_standings_say_how_long_newcomers_wait() -> None:
    asked = Asked(replace(PUBLIC, capacity=100, ip_similarity_percent=0))
    for number in range(3):
        asked.admit(number)
    asked.admit(9, service="/a")

    mix, other = asked.machine.standings(asked.now_ms)

    assert [(each.name, each.advertisements) for each in (mix, other)] == [(SERVICE, 3), ("/a", 1)]
    assert mix.waits_s == wait_s(asked.register(4, ip=FAR_IP))
    assert mix.waits_s > other.waits_s
    asked.now_ms += 2 * PUBLIC.expiry_s * 1000
    assert asked.machine.standings(asked.now_ms) == []
