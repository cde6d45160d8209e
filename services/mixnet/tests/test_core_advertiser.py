"""An advertiser among registrars that answer as the test says."""

from collections import Counter

import pytest
from capability_draws import ADDRESS, SERVICE, advertisement, signer
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_mixnet.core.capability.advertiser import (
    CONCURRENT_ASKS,
    MAX_SERVICES,
    Advertiser,
    Confirmed,
    Effect,
    Stage,
)
from logos_mixnet.core.capability.asks import Ask, Misbehaved
from logos_mixnet.core.capability.contacts import Contacts
from logos_mixnet.core.capability.distance import BUCKETS, ServiceId, bucket_of, service_id_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.profiles import LOCAL, Profile
from logos_mixnet.core.capability.records import SignedRecord
from logos_mixnet.core.capability.tickets import Ticket
from logos_mixnet.core.capability.wire import (
    Peer,
    RegisterRequest,
    RegisterResponse,
    Status,
    decode_request,
    encode_response,
)
from logos_simulation.chance import Chance

MIX = service_id_of(SERVICE)
AD = advertisement(0)
NEWER = advertisement(0, seq=2)
OWN = signer(0).public_key.peer_id
EXPIRY_MS = 60_000


def peers(count: int) -> list[Peer]:
    return [Peer(PeerId(b"registrar%d" % at), (ADDRESS,)) for at in range(count)]


class Asking:
    """An advertiser; keeps what is on its way."""

    def __init__(self, registrars: int, profile: Profile = LOCAL, seed: int = 1) -> None:
        self.contacts = Contacts()
        for peer in peers(registrars):
            self.contacts.met(peer)
        self.machine = Advertiser(OWN, profile, self.contacts, Chance(seed))
        self.now_ms = 0
        self.asks: dict[int, Ask] = {}
        self.confirmed: list[PeerId] = []
        self.misbehaved: list[str] = []

    def obey(self, effects: "list[Effect]") -> None:
        for effect in effects:
            match effect:
                case Ask():
                    assert effect.number not in self.asks
                    self.asks[effect.number] = effect
                case Confirmed():
                    self.confirmed.append(effect.registrar)
                case Misbehaved():
                    self.misbehaved.append(effect.reason)

    def advertise(self, record: SignedRecord = AD) -> None:
        self.obey(list(self.machine.advertise(MIX, record, self.now_ms)))

    def take(self) -> tuple[Ask, RegisterRequest]:
        """Takes one request off its way."""
        ask = self.asks.pop(next(iter(self.asks)))
        request = decode_request(ask.message)
        assert isinstance(request, RegisterRequest)
        return ask, request

    def answer(self, ask: Ask, response: RegisterResponse | bytes) -> None:
        raw = response if isinstance(response, bytes) else encode_response(response)
        self.obey(list(self.machine.answered(ask.number, raw, self.now_ms)))

    def fail(self, ask: Ask) -> None:
        self.obey(list(self.machine.unanswered(ask.number, self.now_ms)))

    def confirm_all(self) -> None:
        while self.asks:
            self.answer(self.take()[0], RegisterResponse(Status.CONFIRMED))

    def wait(self, until_ms: int) -> None:
        """Lets time pass as a driver does: from one wake to the next."""
        while (wake_ms := self.machine.next_wake_ms()) is not None and wake_ms <= until_ms:
            self.now_ms = max(self.now_ms, wake_ms)
            before = len(self.asks)
            self.obey(list(self.machine.tick(self.now_ms)))
            assert len(self.asks) > before or self.machine.next_wake_ms() != wake_ms
        self.now_ms = until_ms


def ticket_of(request: RegisterRequest, wait_s: int) -> Ticket:
    return Ticket(request.advertisement, 5, 5, wait_s, b"signature")


def per_bucket(registrars: list[PeerId]) -> Counter[int]:
    return Counter(bucket_of(MIX, each) for each in registrars)


def test_each_bucket_gets_one_registration_at_once_and_three_in_time() -> None:
    asking = Asking(100)
    populated = set(per_bucket([peer.peer_id for peer in peers(100)]))

    asking.advertise()
    assert per_bucket([each.peer.peer_id for each in asking.asks.values()]) == Counter(populated)
    asking.confirm_all()
    for later_ms in (20_000, 40_000):
        asking.wait(later_ms)
        asking.confirm_all()

    counts = per_bucket(asking.machine.registrars_of(MIX))
    available = per_bucket([peer.peer_id for peer in peers(100)])
    assert counts == Counter({at: min(3, available[at], 20) for at in available})


def test_registrations_of_a_bucket_do_not_end_together() -> None:
    asking = Asking(100)
    asking.advertise()
    for now_ms in range(0, 600_000, 1000):
        asking.wait(now_ms)
        asking.confirm_all()
        if now_ms >= EXPIRY_MS:
            assert min(per_bucket(asking.machine.registrars_of(MIX))[at] for at in (0, 1)) >= 2


def test_registrars_rotate() -> None:
    asking = Asking(60)
    asking.advertise()
    for now_ms in range(0, 20 * EXPIRY_MS, 5000):
        asking.wait(now_ms)
        asking.confirm_all()

    far = {each for each in asking.confirmed if bucket_of(MIX, each) == 0}
    assert len(far) > 15


def test_a_ticket_comes_back_when_it_is_time() -> None:
    asking = Asking(1)
    asking.advertise()
    ask, request = asking.take()
    assert request.ticket is None
    ticket = ticket_of(request, 7)

    asking.answer(ask, RegisterResponse(Status.WAIT, ticket))
    asking.wait(6999)
    assert not asking.asks
    asking.wait(7000)

    assert asking.take()[1] == RegisterRequest(MIX, AD.encoded, ticket)
    assert asking.machine.registrars_of(MIX) == []


def test_a_ticket_never_waits_longer_than_the_expiry() -> None:
    asking = Asking(1)
    asking.advertise()
    ask, request = asking.take()

    asking.answer(ask, RegisterResponse(Status.WAIT, ticket_of(request, 2**32 - 1)))

    assert asking.machine.next_wake_ms() == EXPIRY_MS


def test_a_registrar_that_refuses_is_left_alone() -> None:
    asking = Asking(1)
    asking.advertise()

    asking.answer(asking.take()[0], RegisterResponse(Status.REJECTED))
    asking.wait(EXPIRY_MS - 1)
    assert not asking.asks
    asking.wait(EXPIRY_MS)

    assert len(asking.asks) == 1


def test_malformed_responses_are_reported() -> None:
    asking = Asking(1)
    asking.advertise()

    asking.answer(asking.take()[0], b"\xff")

    assert asking.misbehaved == ["DISCOVERY_MESSAGE_MALFORMED"]
    assert not asking.asks


def test_who_does_not_answer_is_asked_later_and_later_and_then_no_more() -> None:
    asking = Asking(1)
    asking.advertise()
    waits = []
    while asking.asks:
        asking.fail(asking.take()[0])
        before_ms = asking.now_ms
        wake_ms = asking.machine.next_wake_ms()
        if wake_ms is not None:
            waits.append(wake_ms - before_ms)
            asking.wait(wake_ms)

    assert len(waits) == 3
    assert 750 <= waits[0] <= 1250
    assert 1500 <= waits[1] <= 2500
    assert asking.machine.next_wake_ms() is None


def test_who_answers_is_a_stranger_no_more() -> None:
    asking = Asking(1)
    asking.advertise()
    asking.fail(asking.take()[0])
    asking.wait(2000)
    asking.fail(asking.take()[0])
    asking.wait(10_000)
    asking.confirm_all()
    asking.wait(100_000)
    before_ms = asking.now_ms

    asking.fail(asking.take()[0])

    wake_ms = asking.machine.next_wake_ms()
    assert wake_ms is not None
    assert wake_ms - before_ms <= 1250


def test_sixteen_requests_are_on_their_way_at_most() -> None:
    asking = Asking(100)
    for number in range(8):
        service_id = ServiceId(bytes([number]) * 32)
        asking.obey(list(asking.machine.advertise(service_id, AD, 0)))
        assert len(asking.asks) <= CONCURRENT_ASKS
    assert len(asking.asks) == CONCURRENT_ASKS
    assert asking.machine.next_wake_ms() is None

    asking.answer(asking.take()[0], RegisterResponse(Status.CONFIRMED))

    assert len(asking.asks) == CONCURRENT_ASKS


def test_closer_peers_become_registrars() -> None:
    asking = Asking(1)
    asking.advertise()
    other = next(
        Peer(PeerId(b"new%d" % at), (ADDRESS,))
        for at in range(1000)
        if bucket_of(MIX, b"new%d" % at) != bucket_of(MIX, b"registrar0")
    )

    asking.answer(asking.take()[0], RegisterResponse(Status.CONFIRMED, None, (other,)))

    assert [each.peer for each in asking.asks.values()] == [other]


def test_met_peers_become_registrars() -> None:
    asking = Asking(0)
    asking.advertise()
    assert not asking.asks

    asking.obey(list(asking.machine.met(peers(1)[0], 0)))

    assert [each.peer for each in asking.asks.values()] == peers(1)


def test_a_newer_record_begins_anew_where_the_former_waits() -> None:
    asking = Asking(2)
    asking.advertise()
    ask, request = asking.take()
    asking.answer(ask, RegisterResponse(Status.WAIT, ticket_of(request, 50)))

    asking.now_ms = 1000
    asking.advertise(NEWER)

    sent = [decode_request(each.message) for each in asking.asks.values()]
    assert RegisterRequest(MIX, NEWER.encoded) in sent


def test_a_ticket_for_a_former_record_is_not_used() -> None:
    asking = Asking(1)
    asking.advertise()
    ask, request = asking.take()
    asking.advertise(NEWER)

    asking.answer(ask, RegisterResponse(Status.WAIT, ticket_of(request, 50)))

    assert asking.take()[1] == RegisterRequest(MIX, NEWER.encoded)


def test_a_withdrawn_service_is_not_registered_again() -> None:
    asking = Asking(1)
    asking.advertise()
    ask, _ = asking.take()

    asking.machine.withdraw(MIX, 0)
    asking.machine.withdraw(MIX, 0)
    asking.answer(ask, RegisterResponse(Status.CONFIRMED))

    assert asking.machine.registrars_of(MIX) == []
    assert asking.machine.next_wake_ms() is None


def test_a_response_to_a_withdrawn_service_does_not_count_for_it_anew() -> None:
    asking = Asking(1)
    asking.advertise()
    ask, _ = asking.take()
    asking.machine.withdraw(MIX, 0)
    asking.advertise()

    asking.answer(ask, RegisterResponse(Status.CONFIRMED))

    assert asking.machine.registrars_of(MIX) == []
    asking.confirm_all()
    assert len(asking.machine.registrars_of(MIX)) == 1


def test_services_are_bounded() -> None:
    asking = Asking(0)
    for number in range(MAX_SERVICES):
        asking.machine.advertise(ServiceId(bytes([number]) * 32), AD, 0)

    with pytest.raises(ValueError, match="services"):
        asking.machine.advertise(MIX, AD, 0)


@settings(max_examples=60)
@given(
    st.integers(0, 60),
    st.lists(st.tuples(st.sampled_from("cwrmfq"), st.integers(0, 9000)), max_size=60),
    st.integers(0, 99),
)
def test_whatever_registrars_do_the_limits_hold(
    registrars: int, history: list[tuple[str, int]], seed: int
) -> None:
    asking = Asking(registrars, seed=seed)
    asking.advertise()
    for what, gap_ms in history:
        asking.wait(asking.now_ms + gap_ms)
        if not asking.asks:
            continue
        ask, request = asking.take()
        assert request.advertisement == AD.encoded
        match what:
            case "c":
                asking.answer(ask, RegisterResponse(Status.CONFIRMED))
            case "w":
                asking.answer(ask, RegisterResponse(Status.WAIT, ticket_of(request, gap_ms % 90)))
            case "r":
                asking.answer(ask, RegisterResponse(Status.REJECTED, None, tuple(peers(70)[50:66])))
            case "m":
                asking.answer(ask, b"\x08\x06")
            case "f":
                asking.fail(ask)
            case _:
                asking.asks[ask.number] = ask  # it stays on its way
        assert len(asking.asks) <= CONCURRENT_ASKS
        on_their_way = [each.peer.peer_id for each in asking.asks.values()]
        assert len(set(on_their_way)) == len(on_their_way)
        held = {*on_their_way, *asking.machine.registrars_of(MIX)}
        assert max(per_bucket(list(held)).values(), default=0) <= 3
        assert set(per_bucket(list(held))) <= set(range(BUCKETS))


def test_the_table_says_how_far_each_registrar_is() -> None:
    """Farthest first; nothing is known around a service that is not offered."""
    advertising = Asking(40)
    assert advertising.machine.table_of(MIX) == []
    advertising.advertise()
    confirmed, request = advertising.take()
    waiting, other = advertising.take()

    advertising.answer(confirmed, RegisterResponse(Status.CONFIRMED))
    advertising.answer(waiting, RegisterResponse(Status.WAIT, ticket_of(other, 9)))

    table = advertising.machine.table_of(MIX)
    stages = {each.peer.peer_id: each.stage for each in table}
    assert len(table) == len(stages) == 40
    assert stages[confirmed.peer.peer_id] is Stage.CONFIRMED
    assert stages[waiting.peer.peer_id] is Stage.WAITING
    assert {stages[ask.peer.peer_id] for ask in advertising.asks.values()} <= {Stage.ASKED}
    assert [each.bucket for each in table] == sorted(each.bucket for each in table)
    assert request.advertisement == other.advertisement == AD.encoded
