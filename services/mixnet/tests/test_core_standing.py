"""Standing, and the trimming that Peering drives with it (NET-18, D6)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixnet_nodes import fake_address, fake_peer_id, seeded

from logos_base.machine import Answer, Ticket
from logos_mixnet.core.address_book import Ban, PeerRecord
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.confidence import Confidence
from logos_mixnet.core.dials import Aims
from logos_mixnet.core.errors import InvalidTagError, PeerBannedError, TooManyTagsError
from logos_mixnet.core.notices import Notice, PeerEvent
from logos_mixnet.core.peering import Block, Disconnect, Peering, StoreBan
from logos_mixnet.core.standing import Standing, Worth, owned
from logos_mixnet.core.trimming import Watermarks

TICKET = Ticket(1)
OWN, *PEERS = (fake_peer_id(number) for number in range(12))
MARKS = Watermarks(low=2, high=4, grace_ms=100, silence_ms=1000)


def machine(*bootstrap: str) -> Peering:
    addresses = [Address(each) for each in bootstrap]
    return Peering(Aims(OWN, addresses, 0, 250, 0, MARKS), seeded(7))


def come(peering: Peering, *names: str, now_ms: int = 0, outbound: bool = False) -> list[Any]:
    effects: list[Any] = []
    for name in names:
        address = fake_address(PEERS.index(name) + 1)
        direction: Any = "outbound" if outbound else "inbound"
        effects += peering.connection_made(name, address, direction, now_ms)
    return effects


def trimmed(effects: list[Any]) -> list[str]:
    """Who was trimmed, each told before its connections end."""
    told = [e.peer_id for e in effects if isinstance(e, Notice) and e.event is PeerEvent.TRIMMED]
    assert told == [e.peer_id for e in effects if isinstance(e, Disconnect)]
    return told


def test_up_to_the_high_watermark_nobody_goes() -> None:
    peering = machine()
    come(peering, *PEERS[:4])

    assert trimmed(peering.tick(100_000)) == []


def test_beyond_it_a_node_goes_back_to_the_low_one_and_counts() -> None:
    peering = machine()
    come(peering, *PEERS[:5])
    wake_ms = peering.next_wake_ms()
    assert wake_ms is not None

    gone = trimmed(peering.tick(100))

    assert len(gone) == 3
    assert peering.trimmed == 3
    assert trimmed(peering.tick(101)) == []


def test_d6_bootstrap_and_wanted_peers_are_kept() -> None:
    peering = machine(fake_address(1))
    peering.tick(0)
    come(peering, *PEERS[:5])
    peering.dialled(Address(fake_address(1)), PEERS[0], None, 0)
    peering.book.want(PEERS[1])

    assert sorted(trimmed(peering.tick(100))) == sorted(PEERS[2:5])


def test_d6_protected_peers_are_kept_until_their_last_reason_goes() -> None:
    peering = machine()
    come(peering, *PEERS[:5])
    for name in PEERS[:4]:
        peering.standing.protect(TICKET, name, "a/one", 0)
    peering.standing.protect(TICKET, PEERS[0], "b/one", 0)

    assert trimmed(peering.tick(100)) == [PEERS[4]]
    come(peering, PEERS[5], now_ms=200)
    peering.standing.unprotect(TICKET, PEERS[0], "a/one", 2000)
    assert trimmed(peering.tick(2000)) == [PEERS[5]]
    come(peering, PEERS[6], now_ms=3000)
    peering.standing.unprotect(TICKET, PEERS[0], "b/one", 4000)
    assert peering.next_wake_ms() == 0
    assert sorted(trimmed(peering.tick(4000))) == sorted([PEERS[0], PEERS[6]])


def test_d6_the_grace_of_new_peers_is_respected() -> None:
    peering = machine()
    come(peering, *PEERS[:3])
    come(peering, *PEERS[3:5], now_ms=50)

    assert trimmed(peering.tick(99)) == []
    assert sorted(trimmed(peering.tick(149))) == sorted(PEERS[:3])


def test_d6_a_banned_peer_is_neither_kept_nor_worth_anything() -> None:
    peering = machine()
    come(peering, *PEERS[:5])
    peering.book.want(PEERS[0])
    peering.standing.tag(TICKET, PEERS[0], "a/t", Worth(1000), 0)
    peering.standing.protect(TICKET, PEERS[0], "a/p", 0)
    [store] = peering.ban(TICKET, PEERS[0], None, "", 0)
    assert isinstance(store, StoreBan)
    assert Block(PEERS[0]) in peering.stored(store, 0)

    assert not peering.standing.value_of(PEERS[0], 0).is_protected
    assert peering.standing.value_of(PEERS[0], 0).tags == {}
    with pytest.raises(PeerBannedError):
        peering.standing.protect(TICKET, PEERS[0], "a/x", 0)
    with pytest.raises(PeerBannedError):
        peering.standing.tag(TICKET, PEERS[0], "a/x", Worth(1), 0)


def test_d6_a_ban_survives_a_restart_and_its_peer_stays_unprotected() -> None:
    peering = machine()
    record = PeerRecord(PEERS[0], (fake_address(1),), wanted=True, last_seen_ms=5)

    effects = peering.loaded([record], [Ban(PEERS[0], None, "spam")], 10)

    assert effects == [Block(PEERS[0])]
    assert not peering.is_kept(PEERS[0])
    with pytest.raises(PeerBannedError):
        peering.connect(TICKET, Address(fake_address(1), PEERS[0]), 10)


def test_to_be_trimmed_is_no_fault() -> None:
    peering = machine()
    come(peering, *PEERS[:5], outbound=True)
    [worst, *_] = trimmed(peering.tick(100))

    peering.connection_lost(worst, 0, "closed", 101)

    entry = peering.book.get(worst)
    assert entry is not None
    assert entry.dial_failures == 0
    assert entry.confidence is Confidence.HIGH
    assert entry.last_seen_ms == 101


def test_the_least_worth_go_first_and_dialled_peers_last() -> None:
    peering = machine()
    come(peering, *PEERS[:3])
    come(peering, *PEERS[3:5], outbound=True)
    peering.standing.tag(TICKET, PEERS[0], "a/t", Worth(101), 0)
    peering.standing.tag(TICKET, PEERS[3], "a/t", Worth(-101), 0)

    assert sorted(trimmed(peering.tick(100))) == sorted([PEERS[1], PEERS[2], PEERS[3]])


def test_a_trimmed_peer_may_come_back_and_keeps_its_tags() -> None:
    peering = machine()
    come(peering, *PEERS[:5])
    peering.standing.tag(TICKET, PEERS[0], "a/t", Worth(-1), 0)
    assert PEERS[0] in trimmed(peering.tick(100))
    peering.connection_lost(PEERS[0], 0, "closed", 100)

    come(peering, PEERS[0], now_ms=200)

    assert peering.standing.value_of(PEERS[0], 200).tags == {"a/t": -1}
    assert PEERS[0] in peering.connected


def test_tags_fade_and_are_named_with_their_owner() -> None:
    standing = Standing(MARKS, is_kept=lambda _: False, is_banned=lambda _: False)
    name = owned("storage", "wants")
    assert standing.tag(TICKET, "p", name, Worth(100, 1000), 0) == [Answer(TICKET)]

    values = [standing.value_of("p", at).tags for at in (0, 250, 1000, 5000)]

    assert values == [{"storage/wants": value} for value in (100, 75, 0, 0)]
    standing.untag(TICKET, "p", owned("other", "wants"), 1)
    assert standing.value_of("p", 1).score == 99
    standing.untag(TICKET, "p", name, 1)
    assert standing.value_of("p", 1).score == 0


@pytest.mark.parametrize("name", ["", "x" * 65, "ü" * 33])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidTagError):
        owned("a", name)


@pytest.mark.parametrize(
    "worth", [Worth(1_000_001), Worth(-1_000_001), Worth(1, 0), Worth(1, 367 * 86_400_000)]
)
def test_other_worths_are_refused(worth: Worth) -> None:
    standing = Standing(MARKS, is_kept=lambda _: False, is_banned=lambda _: False)

    with pytest.raises(InvalidTagError):
        standing.tag(TICKET, "p", "a/t", worth, 0)
    assert standing.value_of("p", 0).tags == {}


def test_sixteen_tags_and_reasons_are_the_most() -> None:
    standing = Standing(MARKS, is_kept=lambda _: False, is_banned=lambda _: False)
    for at in range(16):
        standing.tag(TICKET, "p", f"a/{at}", Worth(1), 0)
        standing.protect(TICKET, "p", f"a/{at}", 0)

    standing.tag(TICKET, "p", "a/3", Worth(2), 0)
    with pytest.raises(TooManyTagsError):
        standing.tag(TICKET, "p", "a/16", Worth(1), 0)
    with pytest.raises(TooManyTagsError):
        standing.protect(TICKET, "p", "a/16", 0)


@pytest.mark.property
@given(
    peers=st.lists(
        st.tuples(st.booleans(), st.booleans(), st.integers(-200, 200), st.integers(0, 99)),
        min_size=1,
        max_size=len(PEERS),
    ),
    at_ms=st.integers(99, 250),
)
def test_d6_whoever_is_trimmed_could_be_and_was_worth_least(
    peers: list[tuple[bool, bool, int, int]], at_ms: int
) -> None:
    """Over any peers, tags, protections and times of arrival."""
    peering = machine()
    exposed: dict[str, int] = {}
    for name, (outbound, protect, value, since_ms) in zip(PEERS, peers, strict=False):
        assert trimmed(come(peering, name, now_ms=since_ms, outbound=outbound)) == []
        peering.standing.tag(TICKET, name, "a/t", Worth(value), since_ms)
        if protect:
            peering.standing.protect(TICKET, name, "a/p", since_ms)
        elif since_ms + MARKS.grace_ms <= at_ms:
            exposed[name] = value + (100 if outbound else 0)

    gone = trimmed(peering.tick(at_ms))

    too_many = len(peers) - MARKS.low if len(peers) > MARKS.high else 0
    assert len(gone) == min(too_many, len(exposed))
    assert set(gone) <= set(exposed)
    kept = [worth for name, worth in exposed.items() if name not in gone]
    assert all(exposed[name] <= min(kept, default=10**9) for name in gone)
