"""NET-17, NET-18: a node that very many others name as their bootstrap node."""

import heapq
from typing import Final

import pytest
from mixnet_nodes import fake_address, fake_peer_id, seeded

from logos_mixnet.core.addresses import Address
from logos_mixnet.core.dials import Aims
from logos_mixnet.core.exchange import Ask
from logos_mixnet.core.peering import Disconnect, Peering
from logos_mixnet.core.trimming import Watermarks

MARKS: Final = Watermarks(low=16, high=20)
OWN_BOOTSTRAP: Final = 3
CROWD: Final = 120
AGAIN_MS: Final = 500
"""After which each of the crowd dials again, without ever waiting longer."""


class Crowd:
    """Peers that dial one node whenever they are not connected to it."""

    def __init__(self) -> None:
        named = [Address(fake_address(n), fake_peer_id(n)) for n in range(1, OWN_BOOTSTRAP + 1)]
        aims = Aims(fake_peer_id(0), named, 8, 250, 0, watermarks=MARKS)
        self.node = Peering(aims, seeded(3))
        self.now_ms = 0
        self.most_after_grace = 0
        self._dials = [(at, at) for at in range(1, CROWD + 1)]

    def run(self, until_ms: int) -> None:
        while self.now_ms < until_ms:
            if self._dials and self._dials[0][0] <= self.now_ms:
                _, number = heapq.heappop(self._dials)
                name, address = fake_peer_id(number), fake_address(number)
                self._obey(self.node.connection_made(name, address, "inbound", self.now_ms))
            self._obey(self.node.tick(self.now_ms))
            wakes = [due_ms for due_ms, _ in self._dials[:1]]
            wakes.append(self.node.standing.next_wake_ms() or until_ms)
            self.now_ms = max(self.now_ms, min(wakes))
            if self.now_ms > MARKS.grace_ms + MARKS.silence_ms + CROWD:
                self.most_after_grace = max(self.most_after_grace, len(self.node.connected))

    def _obey(self, effects: list[object]) -> None:
        for effect in effects:
            if isinstance(effect, Disconnect):
                self.node.connection_lost(effect.peer_id, 0, "trimmed", self.now_ms)
                number = NUMBERS[effect.peer_id]
                heapq.heappush(self._dials, (self.now_ms + AGAIN_MS, number))


NUMBERS: Final = {fake_peer_id(number): number for number in range(1, CROWD + 1)}


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    found = Crowd()
    found.run(50_000)
    return found


def test_its_connections_stay_below_the_high_watermark_once_all_have_had_their_grace(
    crowd: Crowd,
) -> None:
    assert crowd.most_after_grace <= MARKS.high
    assert len(crowd.node.connected) >= MARKS.low


def test_only_those_that_its_own_profile_names_are_protected(crowd: Crowd) -> None:
    kept = [name for name in NUMBERS if crowd.node.is_kept(name)]
    assert kept == [fake_peer_id(number) for number in range(1, OWN_BOOTSTRAP + 1)]
    assert set(kept) <= set(crowd.node.connected)


def test_who_is_turned_away_is_not_asked_for_peers() -> None:
    named = [Address(fake_address(1), fake_peer_id(1))]
    marks = Watermarks(low=0, high=1, grace_ms=0)
    aims = Aims(fake_peer_id(0), named, 8, 250, 0, watermarks=marks, is_exchanging=True)
    node = Peering(aims, seeded(3))
    peers = [fake_peer_id(number) for number in (2, 3)]
    for number, name in enumerate(peers):
        node.connection_made(name, fake_address(2 + number), "inbound", 0)
        node.identified(name, "test", [], [], 0)

    asked = {effect.peer_id for effect in node.tick(0) if isinstance(effect, Ask)}

    assert asked == {peers[0]}
