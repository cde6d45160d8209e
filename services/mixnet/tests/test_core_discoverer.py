"""A discoverer among registrars that answer as the test says."""

from collections import Counter

import pytest
from capability_draws import ADDRESS, SERVICE, advertisement, signer
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.capability.asks import Ask, Misbehaved
from logos_mixnet.core.capability.cache import AdvertisementCache, CachedAdvertisement
from logos_mixnet.core.capability.contacts import Contacts
from logos_mixnet.core.capability.discoverer import MAX_LOOK_UPS, Discoverer, Found
from logos_mixnet.core.capability.distance import bucket_of, service_id_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.multiaddr import encode_address
from logos_mixnet.core.capability.profiles import LOCAL, Profile
from logos_mixnet.core.capability.records import ServiceInfo, SignedRecord, sign_record
from logos_mixnet.core.capability.wire import (
    GetAdsRequest,
    GetAdsResponse,
    Peer,
    decode_request,
    encode_response,
)
from logos_mixnet.core.errors import TooManyLookUpsError
from logos_simulation.chance import Chance

MIX = service_id_of(SERVICE)
ADS = [advertisement(at).encoded for at in range(45)]
ONE = Ticket(1)


def peers(count: int) -> list[Peer]:
    return [Peer(PeerId(b"registrar%d" % at), (ADDRESS,)) for at in range(count)]


class Looking:
    """A discoverer; keeps what is on its way."""

    def __init__(self, registrars: int, profile: Profile = LOCAL, seed: int = 1) -> None:
        contacts = Contacts()
        for peer in peers(registrars):
            contacts.met(peer)
        own = signer(44).public_key.peer_id
        self.machine = Discoverer(own, profile, contacts, Chance(seed))
        self.asks: dict[int, Ask] = {}
        self.asked: list[int] = []
        self.found: tuple[SignedRecord, ...] | None = None
        self.misbehaved: list[str] = []
        self.told: list[bytes] = []
        self.error: Exception | None = None

    def obey(self, effects: "list[Ask | Misbehaved | Found | Answer | Refuse]") -> None:
        for effect in effects:
            match effect:
                case Ask():
                    assert decode_request(effect.message) == GetAdsRequest(MIX)
                    self.asks[effect.number] = effect
                    self.asked.append(bucket_of(MIX, effect.peer.peer_id))
                case Misbehaved():
                    self.misbehaved.append(effect.reason)
                case Found(_, signed):
                    assert self.found is None
                    self.told.append(signed.encoded)
                case Answer(_, found):
                    assert self.found is None
                    assert isinstance(found, tuple)
                    self.found = found
                case Refuse(_, error):
                    self.error = error

    def look_up(self, ticket: Ticket = ONE) -> None:
        self.obey(self.machine.look_up(ticket, MIX, 0))

    def answer(self, *ads: bytes, closer: tuple[Peer, ...] = ()) -> None:
        number = next(iter(self.asks))
        del self.asks[number]
        raw = encode_response(GetAdsResponse(ads, closer))
        self.obey(self.machine.answered(number, raw, 0))

    def raw(self, raw: bytes) -> None:
        number = next(iter(self.asks))
        del self.asks[number]
        self.obey(self.machine.answered(number, raw, 0))

    def fail(self) -> None:
        number = next(iter(self.asks))
        del self.asks[number]
        self.obey(self.machine.unanswered(number, 0))


def test_without_contacts_nothing_is_found() -> None:
    looking = Looking(0)

    looking.look_up()

    assert looking.found == ()


def test_d3_buckets_are_asked_from_far_to_near_five_registrars_each() -> None:
    looking = Looking(200)
    looking.look_up()
    assert looking.asked == [0] * 5

    while looking.asks:
        looking.answer()

    available = Counter(bucket_of(MIX, each.peer_id) for each in peers(200))
    assert looking.asked == sorted(looking.asked)
    assert Counter(looking.asked) == {at: min(5, available[at]) for at in available}
    assert looking.found == ()


def test_a_look_up_ends_at_thirty() -> None:
    looking = Looking(200)
    looking.look_up()
    for at in range(3):
        assert looking.found is None
        looking.answer(*ADS[10 * at : 10 * at + 10])

    assert looking.found is not None
    assert {each.encoded for each in looking.found} == set(ADS[:30])
    while looking.asks:  # those that were on their way
        looking.answer(*ADS)
    assert looking.asked == [0] * 5


def test_one_registrar_adds_ten_at_most() -> None:
    looking = Looking(1)
    looking.look_up()

    looking.answer(*ADS[:14])

    assert looking.found is not None
    assert len(looking.found) == 10


def test_closer_peers_are_asked_too() -> None:
    looking = Looking(1)
    looking.look_up()
    first = looking.asked[0]
    named = [Peer(PeerId(b"new%d" % at), (ADDRESS,)) for at in range(100)]
    near = [each for each in named if bucket_of(MIX, each.peer_id) > first][:3]

    looking.answer(closer=tuple(near))
    while looking.asks:
        looking.answer()

    assert len(looking.asked) == 1 + len(near)


def test_d1_tampered_and_foreign_advertisements_are_left_out() -> None:
    foreign = advertisement(3, service="/other").encoded
    tampered = ADS[2][:-1] + bytes([ADS[2][-1] ^ 1])
    looking = Looking(3)
    looking.look_up()

    looking.answer(foreign)
    looking.answer(tampered)
    looking.answer(ADS[1])

    assert looking.misbehaved == ["SERVICE_NOT_ADVERTISED", "ENVELOPE_SIGNATURE"]
    assert looking.found is not None
    assert [each.encoded for each in looking.found] == [ADS[1]]


def test_the_newest_record_of_a_peer_is_found() -> None:
    newer = advertisement(1, seq=7).encoded
    looking = Looking(3)
    looking.look_up()

    for raw in (ADS[1], newer, ADS[1]):
        looking.answer(raw)

    assert looking.found is not None
    assert [each.encoded for each in looking.found] == [newer]


def at(number: int, ip: str, seq: int = 1) -> bytes:
    """An advertisement with another address."""
    places = [encode_address(Address(f"/ip4/{ip}/tcp/4000"))]
    return sign_record(signer(number), seq, places, [ServiceInfo(SERVICE)]).encoded


def test_records_of_one_peer_are_no_crowd() -> None:
    looking = Looking(1)
    looking.look_up()

    looking.answer(*(at(1, "8.8.8.1", seq) for seq in range(1, 6)), at(2, "8.8.8.2"))

    assert looking.found is not None
    assert {each.record.peer_id for each in looking.found} == {
        signer(number).public_key.peer_id for number in (1, 2)
    }
    assert max(each.record.seq for each in looking.found) == 5


def test_few_of_one_public_network_are_found() -> None:
    crowd = [at(number, f"8.8.8.{number}") for number in range(6)]
    same = [at(number, "9.9.9.9") for number in range(6, 10)]
    looking = Looking(3)
    looking.look_up()

    looking.answer(*crowd)
    looking.answer(*same)
    looking.answer(*ADS[10:15])  # of a private network

    assert looking.found is not None
    found = [each.encoded for each in looking.found]
    assert len(set(found) & set(crowd)) == 3
    assert len(set(found) & set(same)) == 2
    assert len(set(found) & set(ADS[10:15])) == 5


def test_the_node_does_not_find_itself() -> None:
    looking = Looking(1)
    looking.look_up()

    looking.answer(ADS[44])

    assert looking.found == ()


def test_who_does_not_answer_or_answers_nonsense_is_passed_by() -> None:
    looking = Looking(3)
    looking.look_up()

    looking.fail()
    looking.raw(b"\xff")
    looking.answer(ADS[1])

    assert looking.found is not None
    assert len(looking.found) == 1
    assert looking.misbehaved == ["DISCOVERY_MESSAGE_MALFORMED"]


def test_look_ups_are_bounded() -> None:
    looking = Looking(1)
    for number in range(MAX_LOOK_UPS):
        looking.look_up(Ticket(number))
    assert looking.error is None

    looking.look_up(Ticket(99))

    assert isinstance(looking.error, TooManyLookUpsError)


@settings(max_examples=60)
@given(st.integers(0, 80), st.lists(st.integers(0, 9)), st.integers(0, 99))
def test_every_look_up_ends_with_what_was_found(
    registrars: int, outcomes: list[int], seed: int
) -> None:
    looking = Looking(registrars, seed=seed)
    looking.look_up()
    served: set[bytes] = set()
    while looking.asks:
        outcome = outcomes.pop() if outcomes else 0
        if outcome < 2:
            looking.fail()
        elif outcome == 2:
            looking.raw(b"\x08\x06")
        else:
            served |= set(ADS[:outcome])
            looking.answer(*ADS[:outcome], closer=tuple(peers(90)[80 - outcome : 90 - outcome]))

    assert looking.found is not None
    assert {each.encoded for each in looking.found} == served
    assert max(Counter(looking.asked).values(), default=0) <= 5
    assert len(looking.asked) <= 16 * 5


@pytest.mark.parametrize("now_ms", [0, 10])
def test_time_alone_changes_nothing(now_ms: int) -> None:
    looking = Looking(1)
    looking.look_up()

    assert looking.machine.tick(now_ms) == []
    assert looking.machine.next_wake_ms() is None


def test_each_is_told_when_it_is_found() -> None:
    """A caller that ends a look-up early keeps what was found by then."""
    own, newer = advertisement(44).encoded, advertisement(1, seq=7).encoded
    looking = Looking(3)
    looking.look_up()

    looking.answer(ADS[1], own)
    assert looking.told == [ADS[1]]
    looking.answer(newer, ADS[1], ADS[2])

    assert set(looking.told[1:]) == {newer, ADS[2]}


def test_a_look_up_that_is_given_up_asks_nobody_else() -> None:
    looking = Looking(200)
    looking.look_up()

    for _ in range(2):
        looking.obey(looking.machine.give_up(ONE, 0))
    while looking.asks:
        looking.answer(ADS[1])

    assert len(looking.asked) == 5
    assert (looking.told, looking.found) == ([], None)
    looking.look_up(Ticket(2))
    assert len(looking.asked) == 10


def test_the_nodes_own_registrar_is_asked_first() -> None:
    """In a small network it may be the only one that an advertiser has registered with."""
    looking, cache = Looking(0), AdvertisementCache()
    for at in (1, 44):  # one of them is the node itself
        cache.put(CachedAdvertisement(MIX, advertisement(at), None, 1000))
    own = signer(44).public_key.peer_id
    looking.machine = Discoverer(own, LOCAL, Contacts(), Chance(1), cache)

    looking.look_up()

    assert looking.found is not None
    assert [each.encoded for each in looking.found] == [ADS[1]]
    assert set(looking.told) == {ADS[1]}
