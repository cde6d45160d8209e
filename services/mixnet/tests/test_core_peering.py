from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixnet_nodes import fake_address, fake_peer_id, seeded

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.address_book import Ban, PeerRecord
from logos_mixnet.core.addresses import Address, parse_address
from logos_mixnet.core.dials import EARLY_DELAY_MS, EARLY_MS, Aims
from logos_mixnet.core.errors import (
    DialFailedError,
    InvalidBanError,
    InvalidPeerIdError,
    PeerBannedError,
    PeerNotConnectedError,
    StoreError,
)
from logos_mixnet.core.notices import Notice, PeerEvent
from logos_mixnet.core.peering import (
    PING_TIMEOUT_MS,
    SAVE_DELAY_MS,
    STORE_RETRY_MS,
    Block,
    Dial,
    Disconnect,
    Peering,
    Ping,
    RemoveBan,
    Save,
    Search,
    Status,
    StoreBan,
    Unblock,
)

T = TypeVar("T")
ERROR = StoreError("full")

OWN, A, B, C = (fake_peer_id(number) for number in range(4))
AT_A, AT_B, AT_C = (fake_address(number) for number in range(1, 4))


TICKET, OTHER = Ticket(1), Ticket(2)


def machine(*bootstrap: str, target_peers: int = 8, max_peers: int = 250) -> Peering:
    addresses = [parse_address(text) for text in bootstrap]
    return Peering(Aims(OWN, addresses, target_peers, max_peers, 0), seeded(7))


def of(kind: type[T], effects: list[Any]) -> list[T]:
    return [effect for effect in effects if isinstance(effect, kind)]


def dials(effects: list[Any]) -> list[str]:
    return [str(effect.address) for effect in of(Dial, effects)]


def events(effects: list[Any]) -> list[PeerEvent]:
    return [effect.event for effect in of(Notice, effects)]


def answers(effects: list[Any]) -> list[tuple[Ticket, object]]:
    """What was answered, or refused with which reason."""
    return [
        (effect.ticket, effect.value if isinstance(effect, Answer) else effect.error.reason)
        for effect in effects
        if isinstance(effect, Answer | Refuse)
    ]


def wake_ms(peering: Peering, now_ms: int) -> int:
    """When the machine is woken: as it says, but not in the past and within a minute."""
    wanted = peering.next_wake_ms()
    return now_ms + 60_000 if wanted is None else min(max(wanted, now_ms), now_ms + 60_000)


def connect(peering: Peering, peer_id: str, address: str, now_ms: int = 0) -> None:
    peering.connection_made(peer_id, address, "outbound", now_ms)
    peering.dialled(Address(address), peer_id, None, now_ms)


def lose(peering: Peering, peer_id: str, now_ms: int = 0, *, remaining: int = 0) -> list[Any]:
    return peering.connection_lost(peer_id, remaining, "reset", now_ms)


def load(peering: Peering, *records: PeerRecord, bans: tuple[Ban, ...] = ()) -> list[Any]:
    return peering.loaded(records, bans, 0)


def ban(peering: Peering, peer_id: str, duration_ms: int | None = None, now_ms: int = 0) -> None:
    [effect] = peering.ban(TICKET, peer_id, duration_ms, "spam", now_ms)
    assert isinstance(effect, StoreBan)
    peering.stored(effect, now_ms)


def test_bootstrap_addresses_are_dialled_at_once_and_only_once() -> None:
    peering = machine(AT_A, f"{AT_B}/p2p/{B}")

    assert dials(peering.tick(0)) == [AT_A, f"{AT_B}/p2p/{B}"]
    assert dials(peering.tick(1)) == []


def test_own_addresses_are_never_dialled() -> None:
    peering = machine(AT_A, f"{AT_B}/p2p/{OWN}")
    peering.listens_at(AT_A, 0)

    assert dials(peering.tick(0)) == []


def test_a_bootstrap_peer_that_is_late_is_tried_every_second_at_first() -> None:
    peering = machine(AT_A)
    now_ms = tries = 0

    while now_ms < EARLY_MS:
        for address in dials(peering.tick(now_ms)):
            tries += 1
            peering.dialled(parse_address(address), None, "refused", now_ms)
        now_ms = max(wake_ms(peering, now_ms), now_ms + 1)

    assert tries >= EARLY_MS / EARLY_DELAY_MS


def test_a_bootstrap_peer_that_stays_away_is_tried_ever_more_slowly() -> None:
    peering = machine(AT_A)
    now_ms, times = EARLY_MS, []

    while len(times) < 12:
        for address in dials(peering.tick(now_ms)):
            times.append(now_ms)
            peering.dialled(parse_address(address), None, "refused", now_ms)
        now_ms = max(wake_ms(peering, now_ms), now_ms + 1)

    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[0] < 1000
    assert max(gaps) > 40_000
    assert max(gaps) <= 75_000


def test_a_peer_found_at_a_bare_address_is_redialled_there_when_it_is_lost() -> None:
    peering = machine(AT_A)
    peering.tick(0)
    connect(peering, A, AT_A)
    assert peering.book.get(A).bootstrap
    assert dials(peering.tick(10)) == []

    effects = lose(peering, A, 100)

    assert events(effects) == [PeerEvent.DISCONNECTED]
    assert dials(peering.tick(100)) == []
    assert AT_A in dials(peering.tick(100 + 700))


def test_another_node_at_a_bootstrap_address_takes_the_place_of_the_first() -> None:
    peering = machine(AT_A)
    peering.tick(0)
    connect(peering, A, AT_A)
    lose(peering, A)
    peering.tick(1000)

    connect(peering, B, AT_A, 1000)

    assert not peering.book.get(A).bootstrap
    assert peering.book.get(B).bootstrap


def test_known_peers_are_dialled_until_there_are_enough() -> None:
    peering = machine(target_peers=2)
    at = {A: AT_A, B: AT_B, C: AT_C}
    load(peering, *[PeerRecord(name, (at[name],), wanted=False, last_seen_ms=0) for name in at])

    assert len(dials(peering.tick(0))) == 2


def test_a_wanted_peer_is_dialled_though_there_are_enough() -> None:
    peering = machine(target_peers=0)
    load(peering, PeerRecord(A, (AT_A,), wanted=True, last_seen_ms=0))

    assert dials(peering.tick(0)) == [f"{AT_A}/p2p/{A}"]
    peering.dialled(Address(AT_A, A), None, "refused", 0)
    assert dials(peering.tick(300)) == []
    assert dials(peering.tick(700)) == [f"{AT_A}/p2p/{A}"]


def test_no_peer_is_dialled_at_the_limit() -> None:
    peering = machine(AT_A, max_peers=1)
    connect(peering, B, AT_B)

    assert dials(peering.tick(0)) == []


def test_announced_addresses_are_dialled_but_not_those_of_other_transports() -> None:
    peering = machine()
    peering.connection_made(A, "/ip4/127.0.0.1/tcp/9", "inbound", 0)
    peering.identified(
        A,
        "x",
        ["/p"] * 1000,
        [AT_A, "/ip4/1.2.3.4/udp/1/quic-v1", "/ip4/1.2.3.4/tcp/0", "nonsense"],
        0,
    )
    lose(peering, A)

    assert list(peering.book.get(A).addresses) == [AT_A]
    assert len(peering.book.get(A).protocols) == 64
    assert dials(peering.tick(2000)) == [f"{AT_A}/p2p/{A}"]


def test_a_search_follows_new_connections_and_then_slows_down() -> None:
    peering = machine()
    assert not any(isinstance(e, Search) for e in peering.tick(0))
    connect(peering, A, AT_A)

    searches, now_ms = [], 0
    while now_ms < 300_000:
        searches += [now_ms for e in peering.tick(now_ms) if isinstance(e, Search)]
        now_ms = max(wake_ms(peering, now_ms), now_ms + 1)

    assert searches[0] == 200
    assert searches[1] <= 200 + 1250
    assert 45_000 <= searches[-1] - searches[-2] <= 75_000


def test_no_search_with_enough_peers() -> None:
    peering = machine(target_peers=1)
    connect(peering, A, AT_A)

    assert not any(isinstance(e, Search) for e in peering.tick(60_000))


def test_only_the_last_connection_counts_as_lost() -> None:
    peering = machine()
    connect(peering, A, AT_A)
    assert events(peering.connection_made(A, AT_A, "inbound", 1)) == []

    assert events(lose(peering, A, 2, remaining=1)) == []
    assert A in peering.connected
    assert events(lose(peering, A, 3)) == [PeerEvent.DISCONNECTED]


def test_the_status_is_reported_when_it_changes() -> None:
    peering = machine(f"{AT_B}/p2p/{B}")

    assert of(Status, peering.tick(0)) == [Status(0, 1)]
    assert of(Status, peering.tick(0)) == []
    peering.connection_made(A, AT_A, "outbound", 0)
    assert peering.next_wake_ms() == 0
    assert of(Status, peering.tick(0)) == [Status(1, 2)]
    lose(peering, A)
    assert of(Status, peering.tick(0)) == [Status(0, 2)]


def test_a_status_that_changed_unseen_is_reported_at_once() -> None:
    peering = machine(f"{AT_B}/p2p/{B}")
    peering.tick(0)
    assert peering.next_wake_ms() != 0

    ban(peering, B)

    assert peering.next_wake_ms() == 0
    assert of(Status, peering.tick(0)) == [Status(0, 0)]


# Bans


def test_a_ban_is_stored_before_it_takes_effect() -> None:
    peering = machine(f"{AT_A}/p2p/{A}")

    assert peering.ban(TICKET, A, 1000, "spam", 5) == [StoreBan(Ban(A, 1005, "spam"), (TICKET,))]

    assert dials(peering.tick(5)) == [f"{AT_A}/p2p/{A}"]
    assert peering.stored(StoreBan(Ban(A, 1005, "spam"), (TICKET,)), 5) == [
        Block(A),
        Notice(PeerEvent.BANNED, A, "spam", 5),
        Answer(TICKET),
    ]


def test_a_ban_that_cannot_be_stored_is_none() -> None:
    peering = machine(f"{AT_A}/p2p/{A}")
    [effect] = peering.ban(TICKET, A, None, "", 0)

    assert answers(peering.not_stored(effect, ERROR, 0)) == [(TICKET, StoreError.reason)]

    assert dials(peering.tick(0)) == [f"{AT_A}/p2p/{A}"]


@pytest.mark.parametrize(
    ("peer_id", "duration_ms", "reason", "error"),
    [
        (OWN, None, "", InvalidPeerIdError),
        (A, 0, "", InvalidBanError),
        (A, -1, "", InvalidBanError),
        (A, 2**45 - 99, "", InvalidBanError),
        (A, None, "é" * 101, InvalidBanError),
    ],
)
def test_bans_that_make_no_sense_are_refused(
    peer_id: str, duration_ms: int | None, reason: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        machine().ban(TICKET, peer_id, duration_ms, reason, 100)


def test_a_banned_peer_is_refused_until_its_time_is_over() -> None:
    peering = machine(f"{AT_A}/p2p/{A}")
    ban(peering, A, 1000)
    assert dials(peering.tick(0)) == []
    with pytest.raises(PeerBannedError):
        peering.connect(TICKET, Address(AT_A, A), 0)
    assert peering.next_wake_ms() == 1000

    assert peering.tick(1000)[0] == RemoveBan(A)
    over = peering.stored(RemoveBan(A), 1000)

    assert over == [Unblock(A), Notice(PeerEvent.UNBANNED, A, "", 1000)]
    assert dials(peering.tick(1000)) == [f"{AT_A}/p2p/{A}"]


def test_an_expired_ban_that_cannot_be_removed_holds_and_is_tried_again() -> None:
    peering = machine(f"{AT_A}/p2p/{A}")
    ban(peering, A, 1000)
    peering.tick(1000)

    assert peering.not_stored(RemoveBan(A), ERROR, 1000) == []

    assert of(RemoveBan, peering.tick(1000 + STORE_RETRY_MS - 1)) == []
    assert peering.next_wake_ms() <= 1000 + STORE_RETRY_MS
    assert of(RemoveBan, peering.tick(1000 + STORE_RETRY_MS)) == [RemoveBan(A)]


def test_a_ban_ends_when_it_is_asked_for_however_often() -> None:
    peering = machine()
    ban(peering, A)

    assert peering.unban(TICKET, A, 0) == [RemoveBan(A, (TICKET,))]
    first, second = (
        peering.stored(RemoveBan(A, (TICKET,)), 0),
        peering.stored(RemoveBan(A, (OTHER,)), 0),
    )

    assert first == [Unblock(A), Notice(PeerEvent.UNBANNED, A, "", 0), Answer(TICKET)]
    assert second == [Answer(OTHER)]


def test_a_peer_that_is_banned_no_longer_is_dialled_at_once_if_there_are_too_few() -> None:
    peering = machine()
    load(peering, PeerRecord(A, (AT_A,), wanted=False, last_seen_ms=0), bans=(Ban(A, None),))
    peering.tick(500)
    peering.tick(501)

    peering.stored(RemoveBan(A, (TICKET,)), 600)

    assert peering.dials.next_wake_ms() == 600
    assert dials(peering.tick(600)) == [f"{AT_A}/p2p/{A}"]


def test_a_new_ban_takes_the_place_of_an_old_one() -> None:
    peering = machine()
    ban(peering, A, 1000)

    ban(peering, A, None, 500)

    assert of(RemoveBan, peering.tick(10_000)) == []


def test_bans_of_the_last_run_hold() -> None:
    peering = machine()

    assert load(peering, bans=(Ban(A, None), Ban(B, 10))) == [Block(A), Block(B)]
    with pytest.raises(PeerBannedError):
        peering.already_at(Address(AT_A, A))
    assert peering.tick(10)[0] == RemoveBan(B)
    peering.disconnect(TICKET, A, 0)
    assert peering.book.get(A).ban == Ban(A, None)


# Connect and disconnect


def test_connect_dials_once_for_all_that_ask() -> None:
    peering = machine(target_peers=0)

    assert dials(peering.connect(TICKET, Address(AT_A), 0)) == [AT_A]
    assert peering.connect(OTHER, Address(AT_A), 0) == []
    peering.connection_made(A, AT_A, "outbound", 0)
    done = peering.dialled(Address(AT_A), A, None, 0)

    assert answers(done) == [(TICKET, A), (OTHER, A)]
    assert answers(peering.connect(TICKET, Address(AT_A), 0)) == [(TICKET, A)]
    assert peering.book.get(A).wanted


def test_connect_joins_a_dial_that_is_under_way() -> None:
    peering = machine(AT_A)
    peering.tick(0)

    assert peering.connect(TICKET, Address(AT_A), 0) == []
    failed = peering.dialled(Address(AT_A), None, "refused", 0)

    assert answers(failed) == [(TICKET, "DIAL_FAILED")]
    assert events(failed) == [PeerEvent.DIAL_FAILED]


def test_a_dial_that_fails_for_its_caller_alone_is_no_news() -> None:
    peering = machine()
    peering.connect(TICKET, Address(AT_A), 0)

    failed = peering.dialled(Address(AT_A), None, "refused", 0)

    assert answers(failed) == [(TICKET, "DIAL_FAILED")]
    assert events(failed) == []


def test_connect_refuses_itself_and_a_banned_peer_that_answers() -> None:
    peering = machine()
    ban(peering, A)

    with pytest.raises(DialFailedError):
        peering.connect(TICKET, Address(AT_A, OWN), 0)
    peering.connect(TICKET, Address(AT_A), 0)
    assert answers(peering.dialled(Address(AT_A), A, None, 0)) == [(TICKET, "PEER_BANNED")]


def test_a_forgotten_peer_is_not_dialled_again() -> None:
    peering = machine()
    peering.connection_made(A, AT_A, "outbound", 0)
    peering.connect(TICKET, Address(AT_A), 0)

    assert peering.disconnect(TICKET, A, 0)[0] == Disconnect(A)
    lose(peering, A)

    assert peering.book.get(A) is None
    assert dials(peering.tick(100_000)) == []


def test_the_caller_learns_when_the_host_listens() -> None:
    peering = machine()

    assert peering.listening(TICKET, 2, 0) == []
    assert peering.listens_at(AT_A, 0) == []
    assert peering.listens_at(AT_B, 0) == [Answer(TICKET)]
    assert peering.listening(OTHER, 2, 0) == [Answer(OTHER)]
    assert list(peering.own_addresses) == [AT_A, AT_B]


# Pings


def test_a_ping_is_answered_refused_in_time_or_when_the_peer_goes_away() -> None:
    peering = machine(target_peers=0)
    with pytest.raises(PeerNotConnectedError):
        peering.ping(TICKET, A, 0)
    connect(peering, A, AT_A)
    connect(peering, B, AT_B)

    peering.unsaved()
    peering.tick(0)

    assert peering.ping(TICKET, A, 0) == [Ping(A)]
    assert peering.next_wake_ms() == PING_TIMEOUT_MS
    peering.ping(OTHER, B, 0)
    assert peering.pinged(A, 1234, 1) == [Answer(TICKET, 1234)]
    assert peering.book.get(A).round_trip_us == 1234
    assert answers(peering.tick(PING_TIMEOUT_MS - 1)) == []
    assert answers(peering.tick(PING_TIMEOUT_MS)) == [(OTHER, "PEER_NOT_CONNECTED")]
    peering.ping(TICKET, A, 0)
    assert answers(lose(peering, A)) == [(TICKET, "PEER_NOT_CONNECTED")]


# What is stored


def test_changes_are_saved_together_a_moment_later() -> None:
    peering = machine(target_peers=0)
    peering.tick(0)
    connect(peering, A, AT_A)
    assert of(Save, peering.tick(0)) == []
    connect(peering, B, AT_B, 500)
    assert of(Save, peering.tick(500)) == []
    assert peering.next_wake_ms() == SAVE_DELAY_MS

    [save] = of(Save, peering.tick(SAVE_DELAY_MS))

    assert [record.peer_id for record in save.changes.changed] == sorted([A, B])
    assert peering.stored(save, SAVE_DELAY_MS) == []
    assert peering.next_wake_ms() is None


def test_one_save_is_made_at_a_time() -> None:
    peering = machine(target_peers=0)
    connect(peering, A, AT_A)
    peering.tick(0)
    [first] = of(Save, peering.tick(SAVE_DELAY_MS))

    connect(peering, B, AT_B, SAVE_DELAY_MS)
    peering.tick(SAVE_DELAY_MS)
    assert peering.next_wake_ms() is None
    assert of(Save, peering.disconnect(TICKET, A, SAVE_DELAY_MS)) == []
    [save] = of(Save, peering.stored(first, SAVE_DELAY_MS + 9))

    assert save.changes.removed == (A,)
    assert [record.peer_id for record in save.changes.changed] == [B]
    assert answers(peering.stored(save, SAVE_DELAY_MS + 10)) == [(TICKET, None)]


def test_a_save_that_fails_is_tried_again_and_its_caller_learns_of_it() -> None:
    peering = machine(target_peers=0)
    connect(peering, A, AT_A)
    [save] = of(Save, peering.disconnect(TICKET, A, 0))

    assert answers(peering.not_stored(save, ERROR, 0)) == [(TICKET, StoreError.reason)]

    assert of(Save, peering.tick(STORE_RETRY_MS - 1)) == []
    assert of(Save, peering.tick(STORE_RETRY_MS)) == [Save(save.changes, ())]


def test_what_was_being_saved_at_the_end_is_saved_again() -> None:
    peering = machine(target_peers=0)
    connect(peering, A, AT_A)
    peering.tick(0)
    [save] = of(Save, peering.tick(SAVE_DELAY_MS))

    assert peering.unsaved() == save.changes


def test_a_connected_peer_is_found_by_the_address_that_was_dialled() -> None:
    peering = machine()
    connect(peering, A, AT_A)

    assert peering.already_at(Address(AT_A)) == A
    assert peering.already_at(Address(AT_B, A)) == A
    assert peering.already_at(Address(AT_B)) is None


@given(data=st.data())
def test_the_machine_never_sleeps_through_what_is_due(data: st.DataObject) -> None:
    """Dials fail or succeed at random: time moves to the next wake-up only, and nothing is lost."""
    peering = machine(AT_A, AT_B, f"{AT_C}/p2p/{C}", target_peers=3)
    names = {AT_A: A, AT_B: B, AT_C: C}
    now_ms = 0
    for _ in range(40):
        effects = peering.tick(now_ms)
        for effect in effects:
            if isinstance(effect, Dial):
                if data.draw(st.booleans()):
                    peer_id = names[effect.address.transport]
                    peering.connection_made(peer_id, effect.address.transport, "outbound", now_ms)
                    peering.dialled(effect.address, peer_id, None, now_ms)
                else:
                    peering.dialled(effect.address, None, "refused", now_ms)
        if peering.connected and data.draw(st.booleans()):
            lost = data.draw(st.sampled_from(sorted(peering.connected)))
            lose(peering, lost, now_ms)
        for save in of(Save, effects):
            if data.draw(st.booleans()):
                peering.stored(save, now_ms)
            else:
                peering.not_stored(save, ERROR, now_ms)
        now_ms = max(wake_ms(peering, now_ms), now_ms + 1)
    missing = {A, B, C} - set(peering.connected)
    dialled = {names[text.split("/p2p/")[0]] for text in dials(peering.tick(now_ms + 75_000))}
    assert missing <= dialled


def test_a_machine_that_may_not_dial_does_not_ask_to_be_woken_at_once() -> None:
    peering = machine(AT_A, max_peers=1)
    connect(peering, B, AT_B)
    peering.tick(0)

    [save] = of(Save, peering.tick(100_000))
    peering.stored(save, 100_000)

    assert wake_ms(peering, 100_000) > 100_000


@pytest.mark.parametrize("target_peers", [0, 8])
def test_a_machine_at_rest_is_not_woken_more_than_once_a_second(target_peers: int) -> None:
    peering = machine(f"{AT_A}/p2p/{A}", target_peers=target_peers)
    connect(peering, A, AT_A)
    load(peering, PeerRecord(B, (), wanted=True, last_seen_ms=0))
    now_ms = wakes = 0

    while now_ms < 60_000:
        for save in of(Save, peering.tick(now_ms)):
            peering.stored(save, now_ms)
        now_ms, wakes = wake_ms(peering, now_ms), wakes + 1

    assert wakes < 80
