from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixnet_nodes import fake_address, fake_peer_id, seeded

from logos_mixnet.core.address_book import Ban, PeerRecord
from logos_mixnet.core.addresses import Address, parse_address
from logos_mixnet.core.errors import PeerBannedError
from logos_mixnet.core.peering import (
    EARLY_DELAY_MS,
    EARLY_MS,
    Allow,
    Dial,
    Effect,
    Notice,
    PeerEvent,
    Peering,
    Refuse,
    Search,
)

OWN, A, B, C = (fake_peer_id(number) for number in range(4))
AT_A, AT_B, AT_C = (fake_address(number) for number in range(1, 4))


def machine(*bootstrap: str, target_peers: int = 8, max_peers: int = 250) -> Peering:
    return Peering(
        own_peer_id=OWN,
        bootstrap=[parse_address(text) for text in bootstrap],
        target_peers=target_peers,
        max_peers=max_peers,
        rng=seeded(7),
        started_ms=0,
    )


def dials(effects: list[Effect]) -> list[str]:
    return [str(effect.address) for effect in effects if isinstance(effect, Dial)]


def events(effects: list[Effect]) -> list[PeerEvent]:
    return [effect.event for effect in effects if isinstance(effect, Notice)]


def connect(peering: Peering, peer_id: str, address: str, now_ms: int = 0) -> None:
    peering.connection_made(peer_id, address, outbound=True, now_ms=now_ms)
    peering.dialled(Address(address), peer_id, None, now_ms)


def test_bootstrap_addresses_are_dialled_at_once_and_only_once() -> None:
    peering = machine(AT_A, f"{AT_B}/p2p/{B}")

    assert dials(peering.advance(0)) == [AT_A, f"{AT_B}/p2p/{B}"]
    assert dials(peering.advance(1)) == []


def test_own_addresses_are_never_dialled() -> None:
    peering = machine(AT_A, f"{AT_B}/p2p/{OWN}")
    peering.listens_at(AT_A)

    assert dials(peering.advance(0)) == []


def test_a_bootstrap_peer_that_is_late_is_tried_every_second_at_first() -> None:
    peering = machine(AT_A)
    now_ms = tries = 0

    while now_ms < EARLY_MS:
        for address in dials(peering.advance(now_ms)):
            tries += 1
            peering.dialled(parse_address(address), None, "refused", now_ms)
        now_ms = max(peering.wake_ms(now_ms), now_ms + 1)

    assert tries >= EARLY_MS / EARLY_DELAY_MS


def test_a_bootstrap_peer_that_stays_away_is_tried_ever_more_slowly() -> None:
    peering = machine(AT_A)
    now_ms, times = EARLY_MS, []

    for _ in range(12):
        for address in dials(peering.advance(now_ms)):
            times.append(now_ms)
            peering.dialled(parse_address(address), None, "refused", now_ms)
        now_ms = peering.wake_ms(now_ms)

    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[0] < 1000
    assert max(gaps) > 40_000
    assert max(gaps) <= 75_000


def test_a_peer_found_at_a_bare_address_is_redialled_there_when_it_is_lost() -> None:
    peering = machine(AT_A)
    peering.advance(0)
    connect(peering, A, AT_A)
    assert peering.book.get(A).bootstrap
    assert dials(peering.advance(10)) == []

    effects = peering.connection_lost(A, remaining=0, reason="reset", now_ms=100)

    assert events(effects) == [PeerEvent.DISCONNECTED]
    assert dials(peering.advance(100)) == []
    assert AT_A in dials(peering.advance(100 + 700))


def test_another_node_at_a_bootstrap_address_takes_the_place_of_the_first() -> None:
    peering = machine(AT_A)
    peering.advance(0)
    connect(peering, A, AT_A)
    peering.connection_lost(A, remaining=0, reason="restart", now_ms=0)
    peering.advance(1000)

    connect(peering, B, AT_A, 1000)

    assert not peering.book.get(A).bootstrap
    assert peering.book.get(B).bootstrap


def test_known_peers_are_dialled_until_there_are_enough() -> None:
    peering = machine(target_peers=2)
    peering.book.load(
        [PeerRecord(name, (f"{AT_A}",), wanted=False, last_seen_ms=0) for name in (A, B, C)]
    )

    assert len(dials(peering.advance(0))) == 2


def test_a_wanted_peer_is_dialled_though_there_are_enough() -> None:
    peering = machine(target_peers=0)
    peering.book.load([PeerRecord(A, (AT_A,), wanted=True, last_seen_ms=0)])

    assert dials(peering.advance(0)) == [f"{AT_A}/p2p/{A}"]
    peering.dialled(Address(AT_A, A), None, "refused", 0)
    assert dials(peering.advance(300)) == []
    assert dials(peering.advance(700)) == [f"{AT_A}/p2p/{A}"]


def test_nobody_is_dialled_at_the_limit() -> None:
    peering = machine(AT_A, max_peers=1)
    connect(peering, B, AT_B)

    assert dials(peering.advance(0)) == []


def test_announced_addresses_are_dialled_but_not_those_of_other_transports() -> None:
    peering = machine()
    peering.connection_made(A, "/ip4/127.0.0.1/tcp/9", outbound=False, now_ms=0)
    peering.identified(
        A,
        agent="x",
        protocols=["/p"] * 1000,
        addresses=[AT_A, "/ip4/1.2.3.4/udp/1/quic-v1", "/ip4/1.2.3.4/tcp/0", "nonsense"],
        now_ms=0,
    )
    peering.connection_lost(A, remaining=0, reason="", now_ms=0)

    assert list(peering.book.get(A).addresses) == [AT_A]
    assert len(peering.book.get(A).protocols) == 64
    assert dials(peering.advance(2000)) == [f"{AT_A}/p2p/{A}"]


def test_a_search_follows_new_connections_and_then_slows_down() -> None:
    peering = machine()
    assert not any(isinstance(e, Search) for e in peering.advance(0))
    connect(peering, A, AT_A)

    searches, now_ms = [], 0
    while now_ms < 300_000:
        searches += [now_ms for e in peering.advance(now_ms) if isinstance(e, Search)]
        now_ms = max(peering.wake_ms(now_ms), now_ms + 1)

    assert searches[0] == 200
    assert searches[1] <= 200 + 1250
    assert 45_000 <= searches[-1] - searches[-2] <= 75_000


def test_no_search_with_enough_peers() -> None:
    peering = machine(target_peers=1)
    connect(peering, A, AT_A)

    assert not any(isinstance(e, Search) for e in peering.advance(60_000))


def test_only_the_last_connection_counts_as_lost() -> None:
    peering = machine()
    connect(peering, A, AT_A)
    assert events(peering.connection_made(A, AT_A, outbound=False, now_ms=1)) == []

    assert events(peering.connection_lost(A, remaining=1, reason="", now_ms=2)) == []
    assert A in peering.connected
    assert events(peering.connection_lost(A, remaining=0, reason="", now_ms=3)) == [
        PeerEvent.DISCONNECTED
    ]


def test_a_banned_peer_is_refused_until_its_time_is_over() -> None:
    peering = machine(f"{AT_A}/p2p/{A}")

    effects = peering.ban(Ban(A, 1000, "spam"), 0)

    assert Refuse(A) in effects
    assert dials(peering.advance(0)) == []
    with pytest.raises(PeerBannedError):
        peering.already_at(Address(AT_A, A))
    assert peering.wake_ms(0) == 1000
    over = peering.advance(1000)
    assert Allow(A) in over
    assert events(over) == [PeerEvent.UNBANNED]
    assert dials(over) == [f"{AT_A}/p2p/{A}"]


def test_bans_of_the_last_run_hold() -> None:
    peering = machine()

    assert peering.load_bans([Ban(A, None)]) == [Refuse(A)]
    assert peering.is_banned(A)
    peering.forget(A)
    assert peering.book.get(A).ban == Ban(A, None)


def test_a_forgotten_peer_is_not_dialled_again() -> None:
    peering = machine()
    connect(peering, A, AT_A)
    peering.want(A, Address(AT_A))

    peering.forget(A)
    peering.connection_lost(A, remaining=0, reason="", now_ms=0)

    assert peering.book.get(A) is None
    assert dials(peering.advance(100_000)) == []


def test_a_connected_peer_is_found_by_the_address_that_was_dialled() -> None:
    peering = machine()
    connect(peering, A, AT_A)

    assert peering.already_at(Address(AT_A)) == A
    assert peering.already_at(Address(AT_B, A)) == A
    assert peering.already_at(Address(AT_B)) is None


@given(data=st.data())
def test_the_machine_never_sleeps_through_what_is_due(data: st.DataObject) -> None:
    """Dials fail or succeed at random: time moves to `wake_ms` only, and nothing is lost."""
    peering = machine(AT_A, AT_B, f"{AT_C}/p2p/{C}", target_peers=3)
    names = {AT_A: A, AT_B: B, AT_C: C}
    now_ms = 0
    for _ in range(40):
        effects = peering.advance(now_ms)
        for effect in effects:
            if isinstance(effect, Dial):
                if data.draw(st.booleans()):
                    peer_id = names[effect.address.transport]
                    peering.connection_made(
                        peer_id, effect.address.transport, outbound=True, now_ms=now_ms
                    )
                    peering.dialled(effect.address, peer_id, None, now_ms)
                else:
                    peering.dialled(effect.address, None, "refused", now_ms)
        if peering.connected and data.draw(st.booleans()):
            lost = data.draw(st.sampled_from(sorted(peering.connected)))
            peering.connection_lost(lost, remaining=0, reason="", now_ms=now_ms)
        wake_ms = peering.wake_ms(now_ms)
        assert now_ms <= wake_ms <= now_ms + 75_000
        now_ms = max(wake_ms, now_ms + 1)
    missing = {A, B, C} - set(peering.connected)
    dialled = {names[text.split("/p2p/")[0]] for text in dials(peering.advance(now_ms + 75_000))}
    assert missing <= dialled


def test_a_machine_that_may_not_dial_does_not_ask_to_be_woken_at_once() -> None:
    peering = machine(AT_A, max_peers=1)
    connect(peering, B, AT_B)

    assert peering.advance(100_000) is not None
    assert peering.wake_ms(100_000) > 100_000
