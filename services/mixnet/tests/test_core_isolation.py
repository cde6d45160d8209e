"""A node that is cut off, and healed (NET-16): the part of it that `core/peering.py` has."""

from typing import Any

import pytest
from mixnet_nodes import fake_address, fake_peer_id, seeded

from logos_base.machine import Answer, Ticket
from logos_mixnet.core.address_book import PeerRecord
from logos_mixnet.core.addresses import Address, parse_address
from logos_mixnet.core.dials import Aims
from logos_mixnet.core.errors import NodeIsolatedError
from logos_mixnet.core.notices import Notice, PeerEvent
from logos_mixnet.core.peering import CutOff, Dial, Peering, Search, Status

OWN, A, B = (fake_peer_id(number) for number in range(3))
AT_A, AT_B = (fake_address(number) for number in range(1, 3))
TICKET = Ticket(1)


@pytest.fixture
def peering() -> Peering:
    """A node that is connected to its bootstrap peer A, and knows B."""
    peering = Peering(Aims(OWN, [parse_address(AT_A)], 8, 250, 0), seeded(7))
    peering.loaded([PeerRecord(B, (AT_B,), wanted=True, last_seen_ms=1)], (), 0)
    peering.tick(0)
    peering.connection_made(A, AT_A, "outbound", 0)
    peering.dialled(Address(AT_A), A, None, 0)
    peering.dialled(Address(AT_B, B), None, "nobody there", 0)
    return peering


def dials(effects: list[Any]) -> set[str]:
    return {each.address.transport for each in effects if isinstance(each, Dial)}


def test_it_is_said_to_the_host_and_to_the_watchers_once(peering: Peering) -> None:
    begun = peering.isolate(TICKET, 5)
    again = peering.isolate(Ticket(2), 6)
    healed = peering.heal(Ticket(3), 7)

    assert begun == [CutOff(is_on=True), Notice(PeerEvent.ISOLATED, "", "", 5), Answer(TICKET)]
    assert again == [Answer(Ticket(2))]
    assert healed == [CutOff(is_on=False), Notice(PeerEvent.HEALED, "", "", 7), Answer(Ticket(3))]
    assert peering.heal(Ticket(4), 8) == [Answer(Ticket(4))]


def test_nothing_is_dialled_or_searched_for_until_it_is_healed(peering: Peering) -> None:
    peering.isolate(TICKET, 5)
    peering.connection_lost(A, 0, "closed", 5)

    for now_ms in range(5, 600_000, 10_000):
        effects = peering.tick(now_ms)
        assert dials(effects) == set()
        assert not [each for each in effects if isinstance(each, Search)]
    with pytest.raises(NodeIsolatedError):
        peering.connect(TICKET, Address(AT_B), 600_000)
    assert peering.next_wake_ms() is None

    peering.heal(TICKET, 600_000)
    assert dials(peering.tick(600_000)) == {AT_A, AT_B}


def test_healed_it_waits_with_no_address(peering: Peering) -> None:
    for now_ms in range(1000, 200_000, 1000):  # until B is dialled about once a minute
        for address in dials(peering.tick(now_ms)):
            peering.dialled(Address(address, B), None, "nobody there", now_ms)
    peering.isolate(TICKET, 200_000)
    peering.connection_lost(A, 0, "closed", 200_000)

    peering.heal(TICKET, 200_001)

    assert dials(peering.tick(200_001)) == {AT_A, AT_B}


def test_the_status_says_so(peering: Peering) -> None:
    peering.tick(1)
    peering.isolate(TICKET, 5)
    peering.connection_lost(A, 0, "closed", 5)

    assert Status(0, 2, is_isolated=True) in peering.tick(6)
