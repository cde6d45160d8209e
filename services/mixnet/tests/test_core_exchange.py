from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from exchange_peers import DAY_MS, OTHERS, OWN, TICKET, Party, Side, asked
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from logos_base.errors import RemoteFaultError
from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.address_book import Ban
from logos_mixnet.core.confidence import Confidence
from logos_mixnet.core.errors import ExchangeRefusedError, PeerNotConnectedError
from logos_mixnet.core.exchange import (
    FRESH_MS,
    MAX_ASKS,
    OF_ALL,
    OF_PEER,
    REFRESH_MS,
    REST_MS,
)
from logos_mixnet.core.exchange_wire import (
    MAX_SAMPLE,
    ExchangeRequest,
    ExchangeResponse,
    decode_request,
    decode_response,
)

A, B, C, *REST = OTHERS
LONG_MS = 3 * REFRESH_MS


@pytest.fixture
def side() -> Side:
    return Side()


def serve(side: Side, party: Party, now_ms: int = 0, *, own: bytes = b"") -> ExchangeResponse:
    request = ExchangeRequest(MAX_SAMPLE, own).encode()
    [answer] = side.machine.serve(TICKET, party.peer_id, request, now_ms)
    assert isinstance(answer, Answer)
    assert isinstance(answer.value, bytes)
    return decode_response(answer.value)


def confidence(side: Side, party: Party) -> Confidence | None:
    entry = side.book.get(party.peer_id)
    return None if entry is None else entry.confidence


# Who is asked, and when


def test_each_new_peer_is_asked_at_once_and_told_who_asks(side: Side) -> None:
    assert side.meet(A, B) == [A.peer_id, B.peer_id]
    assert side.meet() == []

    [effect] = side.machine.ask(TICKET, A.peer_id, 0) or [None]
    assert effect is None  # it is asked already
    request = decode_request(side.machine._begin(C.peer_id, 0).request)
    assert (request.count, request.own) == (MAX_SAMPLE, OWN.record(1))


def test_four_are_asked_at_a_time(side: Side) -> None:
    first = side.meet(*OTHERS[:10])

    assert len(first) == MAX_ASKS
    assert side.machine.next_wake_ms() is None
    side.machine.answered(first[0], b"", 1)
    assert asked(side.machine.tick(1)) == [OTHERS[4].peer_id]


def test_while_more_are_sought_one_is_asked_again_and_again_and_ever_later() -> None:
    side = Side(target_peers=8)
    side.meet(A)
    side.hear(A)
    now_ms, pauses = 0, []
    for _ in range(12):
        wake_ms = side.machine.next_wake_ms()
        assert wake_ms is not None
        pauses.append(wake_ms - now_ms)
        now_ms = wake_ms
        assert asked(side.machine.tick(now_ms)) == [A.peer_id]
        side.hear(A, now_ms=now_ms)

    assert pauses[0] <= 12_500
    assert pauses[-1] >= 450_000
    side.machine.lost(B.peer_id, now_ms)
    wake_ms = side.machine.next_wake_ms()
    assert wake_ms is not None
    assert wake_ms <= now_ms + 12_500


def test_with_enough_peers_it_is_asked_for_fresh_ones_only() -> None:
    side = Side(target_peers=1)
    side.meet(A)
    side.hear(A)
    side.machine.tick(20_000)
    side.hear(A)

    assert side.machine.next_wake_ms() == 20_000 + REFRESH_MS


def test_nobody_is_asked_without_peers_or_if_it_is_off(side: Side) -> None:
    side.meet(A)
    side.machine.not_answered(A.peer_id, TimeoutError(), 0)
    side.disconnect(A)

    assert side.machine.next_wake_ms() is None
    assert asked(side.machine.tick(LONG_MS)) == []


def test_a_peer_that_breaks_a_rule_is_left_alone_for_a_while(side: Side) -> None:
    side.meet(A)
    side.machine.answered(A.peer_id, b"\xff", 0)

    assert asked(side.machine.tick(REST_MS - 1)) == []
    assert side.meet(A, now_ms=REST_MS - 1) == []
    assert side.meet(A, now_ms=REST_MS) == [A.peer_id]
    assert side.machine.counts.failed == 1


def test_a_peer_that_cannot_answer_now_is_asked_again(side: Side) -> None:
    side.meet(A)
    side.machine.not_answered(A.peer_id, ExchangeRefusedError("reset"), 0)

    assert asked(side.machine.tick(15_000)) == [A.peer_id]


# What callers ask for


def test_a_caller_is_told_what_a_peer_names(side: Side) -> None:
    side.connect(A)
    [effect] = side.machine.ask(TICKET, A.peer_id, 0)
    assert asked([effect]) == [A.peer_id]
    assert side.machine.ask(Ticket(2), A.peer_id, 0) == []

    first, second = side.hear(A, B.record(7), C.record())

    assert (first.ticket, second.ticket) == (1, 2)
    [b, c] = first.value
    assert (b.peer_id, b.addresses, b.seq, b.is_new) == (B.peer_id, (B.address,), 7, True)
    assert (c.signed, c.is_new) == (C.record(), True)


def test_a_caller_is_told_that_a_peer_breaks_a_rule_or_is_not_there(side: Side) -> None:
    with pytest.raises(PeerNotConnectedError):
        side.machine.ask(TICKET, A.peer_id, 0)
    side.connect(A)
    side.machine.ask(TICKET, A.peer_id, 0)

    [refusal] = side.machine.answered(A.peer_id, b"\xff", 0)

    assert isinstance(refusal, Refuse)
    assert refusal.error.reason == "PEER_EXCHANGE_FAILED"  # type: ignore[attr-defined]


# What is taken


def test_what_peers_name_is_believed_least_and_what_they_say_of_themselves_more(
    side: Side,
) -> None:
    side.meet(A)
    side.hear(A, B.record(), own=A.record())

    assert side.knows(B) == [B.address]
    assert confidence(side, B) is Confidence.LOW
    assert confidence(side, A) is Confidence.MEDIUM


def test_who_asks_is_learned_too(side: Side) -> None:
    side.connect(A)

    serve(side, A, own=A.record())

    assert confidence(side, A) is Confidence.MEDIUM
    assert side.book.with_records() == [A.peer_id]


def test_of_two_records_the_greater_number_holds(side: Side) -> None:
    side.meet(A)
    old = B.record(5, ["/ip4/127.0.0.1/tcp/5"])
    side.hear(A, B.record(6))
    side.hear(A, old)

    assert side.knows(B) == [B.address]
    assert serve(side, A).records == (B.record(6),)


FORGERIES = {
    "garbage": b"\xff" * 40,
    "nothing": b"",
    "altered": B.record()[:-1] + bytes([B.record()[-1] ^ 1]),
    "oversize": B.record() + b"\x7a\x7f" + b"\0" * 1024,
    "cut off": B.record()[:-1],
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES.keys())
def test_with_one_forged_record_nothing_is_taken(side: Side, forged: bytes) -> None:
    side.meet(A)

    side.hear(A, B.record(), forged, C.record())

    assert side.knows(B) == side.knows(C) == []
    assert side.machine.counts.failed == 1
    with pytest.raises(RemoteFaultError):
        side.machine._take_own(A.peer_id, forged or b"\0", 0)


def test_the_record_of_another_is_not_its_own(side: Side) -> None:
    side.meet(A)
    side.hear(A, B.record(), own=C.record())

    assert side.knows(B) == side.knows(C) == []
    with pytest.raises(RemoteFaultError):
        serve(side, A, own=B.record())
    assert side.knows(B) == []


def test_addresses_are_believed_of_who_can_know_them(side: Side) -> None:
    named = ["/ip4/127.0.0.1/tcp/22", "/ip4/10.0.0.1/tcp/22", "/ip4/9.9.9.9/tcp/22"]
    for at, expected in (("8.8.8.8", 1), ("10.0.0.9", 2), ("127.0.0.1", 3)):
        side = Side()
        side.connect(A, at=f"/ip4/{at}/tcp/1")
        side.machine.ask(TICKET, A.peer_id, 0)

        side.hear(A, B.record(addresses=named))

        assert sorted(side.knows(B)) == sorted(named[-expected:])


def test_one_network_fills_little_of_a_response(side: Side) -> None:
    side.connect(A, at="/ip4/8.8.8.8/tcp/1")
    side.machine.ask(TICKET, A.peer_id, 0)
    crowd = [
        party.record(addresses=[f"/ip4/9.9.9.{at}/tcp/1"]) for at, party in enumerate(REST[:10])
    ]
    apart = [
        party.record(addresses=[f"/ip4/9.8.{at}.1/tcp/1"]) for at, party in enumerate(REST[10:16])
    ]

    [answer] = side.hear(A, *crowd, *apart)

    assert isinstance(answer, Answer)
    names = [each.peer_id for each in answer.value]  # type: ignore[attr-defined]
    assert len(names) == 3 + 6


def test_a_node_learns_nothing_of_itself(side: Side) -> None:
    side.meet(A)

    side.hear(A, OWN.record(99), A.record())

    assert side.book.get(OWN.peer_id) is None
    assert side.book.with_records() == []


def test_hearsay_displaces_hearsay_only() -> None:
    side = Side(max_peers=5)
    side.meet(A)
    for known in OTHERS[1:4]:
        side.book.reached(known.peer_id, known.address, 1)

    for at, party in enumerate(OTHERS[10:30]):
        side.hear(A, party.record(), now_ms=at)

    kept = {entry.peer_id for entry in side.book}
    assert kept == {party.peer_id for party in (A, *OTHERS[1:4], OTHERS[29])}


# What is passed on


def test_d6_a_response_does_not_depend_on_who_is_connected() -> None:
    """Two nodes with the same records and other connections say the same, byte for byte."""
    sides = [Side(seed=3), Side(seed=3)]
    for side in sides:
        side.connect(B)
        for party in REST[:16]:
            side.connect(party)
            serve(side, party, 100_000 * party.number, own=party.record())
    for party in REST[:8]:
        sides[0].disconnect(party)
    for party in REST[8:16]:
        sides[1].disconnect(party)

    said = [[serve(side, B, 10_000_000 + at * 10_000) for at in range(30)] for side in sides]

    assert said[0] == said[1]
    assert len({response.records for response in said[0]}) == 30


def test_d6_connected_and_heard_of_peers_are_named_alike() -> None:
    """Over many responses nobody can tell from how often a peer is named if it is connected."""
    side = Side(seed=5)
    side.meet(A, B)
    near, far = REST[:15], REST[15:30]
    for party in near:
        side.connect(party)
        serve(side, party, own=party.record())
    for some in (far[:8], far[8:]):
        side.hear(A, *[party.record() for party in some])
    named: Counter[str] = Counter()
    rounds = 600
    for at in range(rounds):
        for raw in serve(side, B, 10_000 * at).records:
            named[raw.hex()] += 1

    expected = rounds * MAX_SAMPLE / 30
    counts = [named[party.record().hex()] for party in (*near, *far)]
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    assert chi_square < 58.3  # p = 0.001 with 29 degrees of freedom; draws without replacement
    assert abs(sum(counts[:15]) - sum(counts[15:])) < 0.05 * rounds * MAX_SAMPLE


def test_d6_a_record_has_nothing_but_what_its_peer_signed() -> None:
    side = Side()
    side.connect(A, B)
    serve(side, B, own=B.record())

    response = serve(side, A)

    assert response.records == (B.record(),)
    assert response.own == OWN.record(1)


def test_a_sample_is_bounded_and_has_nobody_twice(side: Side) -> None:
    side.meet(A, B)
    for at in range(0, 30, 10):
        side.hear(A, *[party.record() for party in REST[at : at + 10]])

    named = serve(side, B).records

    assert len(set(named)) == len(named) == MAX_SAMPLE


def test_the_asker_banned_peers_and_old_records_are_left_out(side: Side) -> None:
    side.connect(A, B, C)
    for party in (A, B, C):
        serve(side, party, own=party.record())
    entry = side.book.get(C.peer_id)
    assert entry is not None
    entry.ban = Ban(C.peer_id, None)

    assert serve(side, A).records == (B.record(),)
    assert serve(side, A, FRESH_MS).records == ()
    serve(side, B, DAY_MS + 1, own=B.record())
    assert serve(side, A, DAY_MS + 2).records == (B.record(),)


def test_a_far_asker_is_not_told_of_near_addresses(side: Side) -> None:
    side.connect(A)
    serve(side, A, own=A.record())

    side.connect(B, at="/ip4/8.8.8.8/tcp/1")

    assert serve(side, B).records == ()
    assert serve(side, C).records == ()  # gone meanwhile: nobody knows where it is


def test_what_is_held_is_bounded() -> None:
    side = Side(max_records=10)
    side.meet(A)
    for at, party in enumerate(REST[:30]):
        side.hear(A, party.record(), now_ms=at)

    assert side.book.with_records() == [party.peer_id for party in REST[20:30]]
    assert side.knows(REST[0])  # its address stays


def test_requests_over_the_budget_are_refused(side: Side) -> None:
    side.connect(A, B)
    for _ in range(OF_PEER.at_once):
        serve(side, A)

    with pytest.raises(ExchangeRefusedError):
        serve(side, A, OF_PEER.every_ms - 1)
    serve(side, B)
    serve(side, A, OF_PEER.every_ms)


def test_a_flood_from_many_peers_is_bounded_too(side: Side) -> None:
    served = 0
    for number in range(3 * OF_ALL.at_once):
        request = ExchangeRequest(MAX_SAMPLE).encode()
        try:
            side.machine.serve(TICKET, f"peer{number}", request, 0)
        except ExchangeRefusedError:
            continue
        served += 1

    assert served == side.machine.counts.served == OF_ALL.at_once


@given(raw=st.binary(max_size=1100))
@pytest.mark.property
def test_any_bytes_are_answered_or_a_fault_of_the_peer(raw: bytes) -> None:
    side = Side()
    side.meet(A)
    side.machine.answered(A.peer_id, raw, 0)
    with suppress(RemoteFaultError):
        side.machine.serve(TICKET, B.peer_id, raw, 0)
    assert {entry.peer_id for entry in side.book} == {A.peer_id}


class ExchangeAtAnyTime(RuleBasedStateMachine):
    """Whatever peers do, and when: bounds hold, and only what was signed is ever passed on."""

    parties = st.sampled_from(OTHERS[:12])

    def __init__(self) -> None:
        super().__init__()
        self.side = Side(target_peers=3, max_peers=8, max_records=4)
        self.now_ms = 0
        self.signed = {party.record(seq) for party in OTHERS[:12] for seq in range(3)}
        self.open: set[str] = set()
        self.most_pinned = 0

    def perform(self, effects: Any) -> None:
        for peer_id in asked(effects):
            assert peer_id in self.side.connected
            assert peer_id not in self.open
            self.open.add(peer_id)

    @rule(party=parties)
    def meet(self, party: Party) -> None:
        if party.peer_id not in self.side.connected:
            self.side.connect(party, now_ms=self.now_ms)
            self.side.machine.met(party.peer_id, self.now_ms)

    @rule(party=parties)
    def lose(self, party: Party) -> None:
        if party.peer_id in self.side.connected:
            self.side.disconnect(party, self.now_ms)

    @rule(party=parties, named=st.lists(parties, max_size=5), seq=st.integers(0, 2))
    def answer(self, party: Party, named: list[Party], seq: int) -> None:
        if party.peer_id in self.open:
            self.open.discard(party.peer_id)
            raws = [each.record(seq) for each in named]
            self.side.hear(party, *raws, own=party.record(seq), now_ms=self.now_ms)

    @rule(party=parties)
    def fail(self, party: Party) -> None:
        if party.peer_id in self.open:
            self.open.discard(party.peer_id)
            self.side.machine.not_answered(party.peer_id, TimeoutError(), self.now_ms)

    @rule(party=parties, seq=st.integers(0, 2))
    def request(self, party: Party, seq: int) -> None:
        try:
            response = serve(self.side, party, self.now_ms, own=party.record(seq))
        except ExchangeRefusedError:
            return
        assert set(response.records) <= self.signed
        assert len(response.records) <= MAX_SAMPLE
        assert not any(raw in {party.record(at) for at in range(3)} for raw in response.records)

    @rule(later_ms=st.integers(0, REST_MS))
    def wait(self, later_ms: int) -> None:
        self.now_ms += later_ms
        self.perform(self.side.machine.tick(self.now_ms))

    @invariant()
    def bounded(self) -> None:
        pinned = sum(entry.pinned for entry in self.side.book)
        self.most_pinned = max(self.most_pinned, pinned)
        assert len(self.side.book) <= max(8, self.most_pinned)  # room is made for those who come
        assert len(self.side.book.with_records()) <= 4
        assert len(self.open) <= MAX_ASKS

    @invariant()
    def does_not_spin(self) -> None:
        wake_ms = self.side.machine.next_wake_ms()
        if wake_ms is not None and wake_ms <= self.now_ms:
            self.perform(self.side.machine.tick(self.now_ms))
            again_ms = self.side.machine.next_wake_ms()
            assert again_ms is None or again_ms > self.now_ms


TestExchangeAtAnyTime = pytest.mark.property(ExchangeAtAnyTime.TestCase)
