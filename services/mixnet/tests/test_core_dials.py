import pytest
from mixnet_nodes import fake_address, fake_peer_id, seeded

from logos_mixnet.core.address_book import AddressBook
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.dials import EARLY_MS, SCAN_MS, SHORT_MS, Aims, Dials

PEER = fake_peer_id(1)
BARE, NAMED = Address(fake_address(1)), Address(fake_address(1), PEER)


def dials(*bootstrap: Address) -> Dials:
    """Dials with one peer in the book, which is wanted."""
    book = AddressBook(seeded(7))
    book.want(PEER)
    book.announce(PEER, [NAMED.transport], 0)
    aims = Aims(fake_peer_id(0), bootstrap, target_peers=8, max_peers=250, started_ms=0)
    return Dials(book, {}, aims, seeded(7))


@pytest.mark.parametrize("address", [BARE, NAMED])
def test_what_a_caller_has_dialled_is_not_dialled_beside_it(address: Address) -> None:
    machine = dials(address)
    assert machine.ask(NAMED)
    assert machine.ask(BARE)

    assert machine.begin(0) == []
    assert machine.next_wake_ms() == SCAN_MS

    assert machine.failed(NAMED, 1)
    assert machine.failed(BARE, 1)
    assert address in machine.begin(1)


def test_a_caller_joins_a_dial_that_is_under_way_and_its_failure_counts() -> None:
    machine = dials(NAMED)
    assert machine.begin(0) == [NAMED]
    assert not machine.ask(NAMED)

    assert not machine.failed(NAMED, 1)
    assert machine.begin(1) == []


def test_an_address_is_dialled_once_with_or_without_the_peer_that_must_be_there() -> None:
    named = Address(BARE.transport, fake_peer_id(2))
    machine = dials(BARE, named)  # and in the book

    assert machine.begin(0) == [BARE]
    assert machine.begin(1) == []
    wake_ms = machine.next_wake_ms()
    assert wake_ms is not None
    assert wake_ms > 1

    machine.failed(BARE, 2)
    assert machine.begin(2) == [named]


def test_a_bootstrap_peer_that_ends_connections_soon_is_dialled_ever_more_slowly() -> None:
    machine = dials(NAMED)
    now_ms, gaps = EARLY_MS, []
    for _ in range(9):
        machine.begin(now_ms)
        machine.succeeded(NAMED, PEER, now_ms)
        machine.lost(PEER, now_ms, now_ms + 100)
        gaps.append(again_ms(machine) - now_ms)
        now_ms += gaps[-1]
    assert gaps[0] < 1000
    assert max(gaps) > 40_000

    machine.lost(PEER, now_ms, now_ms + SHORT_MS)

    assert again_ms(machine) - (now_ms + SHORT_MS) < 1000


def again_ms(machine: Dials) -> int:
    """When the peer is dialled again."""
    entry = machine._book.get(PEER)
    assert entry is not None
    due_ms = machine.next_ms(entry)
    assert due_ms is not None
    return due_ms
