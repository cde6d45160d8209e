"""Dozens of storage nodes that fetch one dataset from one another, on virtual time.

Seeds hold everything from the start; the rest fetch it, and serve what they have
as soon as they have it. Some peers lie, some stall, some go away and come back,
every link loses its stream now and then. A failing seed replays exactly.
"""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count

import pytest

from logos_storage.core.fetch import (
    Close,
    Effect,
    Failed,
    FailureReason,
    FetchMachine,
    FetchSettings,
    Open,
    Request,
    Search,
    WakeAt,
)
from logos_storage.core.presence import Presence

pytestmark = pytest.mark.simulation

BLOCKS = 240
SETTINGS = FetchSettings(window_blocks=64, first_batch_blocks=2, max_batch_blocks=16)
PATIENCE_MS = 20_000
HORIZON_MS = 1_800_000


class Dice:
    """Reproducible randomness: the hash of a seed and a counter."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._counter = count()

    def below(self, bound: int) -> int:
        text = f"{self._seed}:{next(self._counter)}".encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % bound

    def hits(self, percent: int) -> bool:
        return self.below(100) < percent


class Nature(Enum):
    HONEST = auto()
    LIAR = auto()
    STALLER = auto()


@dataclass
class World:
    """Time, chance and the peers."""

    dice: Dice
    loss_percent: int
    now: int = 0
    peers: dict[str, "Peer"] = field(default_factory=dict)
    _events: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _order: "count[int]" = field(default_factory=count)

    def after(self, delay_ms: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay_ms, next(self._order), what))

    def run(self) -> None:
        while self._events and self.now <= HORIZON_MS:
            self.now, _, what = heapq.heappop(self._events)
            what()


class Peer:
    """A node: its blocks and, if it lacks some, its machine."""

    def __init__(self, world: World, name: str, nature: Nature, presence: Presence) -> None:
        self.world = world
        self.name = name
        self.nature = nature
        self.presence = presence
        self.is_up = True
        self.failed: list[FailureReason] = []
        self.asked: dict[tuple[str, int], list[int]] = {}
        self.links: dict[str, int] = {}
        """Open streams, each with a number that tells it from an earlier one."""
        self.received: dict[int, int] = defaultdict(int)
        self.banned: set[str] = set()
        self._numbers = count()
        self._wake = 0
        self.machine = FetchMachine(SETTINGS, presence)

    def start(self) -> None:
        self.obey(self.machine.want(1, 0, BLOCKS, patience_ms=PATIENCE_MS, now_ms=self.world.now))

    def obey(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Open(peer=peer):
                    self._open(peer)
                case Request():
                    self._request(effect)
                case Close(peer=peer):
                    self._forget(peer)
                case Search():
                    self.world.after(self._delay(), self._searched)
                case Failed(reason=reason):
                    self.failed.append(reason)
                case WakeAt(time_ms=time_ms):
                    self._wake_at(time_ms)

    def _delay(self) -> int:
        return 5 + self.world.dice.below(100)

    def _wake_at(self, time_ms: int) -> None:
        assert time_ms > self.world.now
        self._wake = time_ms

        def wake() -> None:
            if self._wake == time_ms:
                self.obey(self.machine.tick(self.world.now))

        self.world.after(time_ms - self.world.now, wake)

    def _searched(self) -> None:
        peers = [one.name for one in self.world.peers.values() if one.presence.held and one != self]
        self.obey(self.machine.found(peers, self.world.now))
        self.obey(self.machine.search_ended(self.world.now))

    def _open(self, peer: str) -> None:
        assert peer not in self.links, "a provider is opened once at a time"
        assert peer not in self.banned, "who was banned stays so"
        link = self.links[peer] = next(self._numbers)

        def opened() -> None:
            if self.links.get(peer) != link:
                return
            if self.world.peers[peer].is_up and not self.world.dice.hits(self.world.loss_percent):
                self.obey(self.machine.opened(peer, self.world.now))
            else:
                self._lose(peer)

        self.world.after(self._delay(), opened)

    def _request(self, request: Request) -> None:
        blocks = [at for one in request.ranges for at in range(one.start, one.end)]
        owed = [owed for (peer, _), owed in self.asked.items() if peer == request.peer]
        assert request.peer in self.links, "only who is open is asked"
        assert len(self.asked) < SETTINGS.max_in_flight
        assert len(blocks) <= SETTINGS.max_batch_blocks
        assert not {one for some in owed for one in some}.intersection(blocks), "asked twice"
        assert not any(index in self.presence for index in blocks), "what is here is not fetched"
        self.asked[request.peer, request.request_id] = blocks
        link = self.links[request.peer]
        provider = self.world.peers[request.peer]
        if provider.nature is not Nature.STALLER:
            self.world.after(self._delay(), lambda: self._answered(request, link))

    def _answered(self, request: Request, link: int) -> None:
        if self.links.get(request.peer) != link:
            return
        provider = self.world.peers[request.peer]
        if not provider.is_up or self.world.dice.hits(self.world.loss_percent):
            self._lose(request.peer)
            return
        if provider.nature is Nature.LIAR:
            self._forget(request.peer)
            self.banned.add(request.peer)
            self.obey(self.machine.refused(request.peer, self.world.now))
            return
        blocks = self.asked.pop((request.peer, request.request_id))
        kept = frozenset(index for index in blocks if index in provider.presence)
        for index in kept:
            self.received[index] += 1
            self.presence.add(index)
        now = self.world.now
        self.obey(self.machine.stored(request.peer, request.request_id, kept, now))
        self.obey(self.machine.advance(1, self.presence.next_missing(0, BLOCKS), now))

    def _lose(self, peer: str) -> None:
        self._forget(peer)
        self.obey(self.machine.lost(peer, self.world.now))

    def _forget(self, peer: str) -> None:
        self.links.pop(peer, None)
        self.asked = {key: owed for key, owed in self.asked.items() if key[0] != peer}


def world_of(seed: int, *, seeds: int, liars: int, stallers: int, leechers: int) -> World:
    dice = Dice(seed)
    world = World(dice, loss_percent=dice.below(8))
    kinds = [("seed", Nature.HONEST, seeds), ("liar", Nature.LIAR, liars)]
    kinds.append(("staller", Nature.STALLER, stallers))
    for kind, nature, number in kinds:
        for place in range(number):
            name = f"{kind}{place}"
            world.peers[name] = Peer(world, name, nature, Presence.full(BLOCKS))
    for place in range(leechers):
        name = f"leecher{place}"
        world.peers[name] = Peer(world, name, Nature.HONEST, Presence(BLOCKS))
        world.after(dice.below(3000), world.peers[name].start)
    return world


def leechers_of(world: World) -> list[Peer]:
    return [peer for name, peer in world.peers.items() if name.startswith("leecher")]


def crash_now_and_then(world: World, names: Iterable[str]) -> None:
    """Takes honest peers down for a few seconds, again and again for two minutes."""
    for name in names:
        peer = world.peers[name]

        def toggle(peer: Peer = peer, *, is_up: bool) -> None:
            peer.is_up = is_up

        start = world.dice.below(2000)
        while start < 120_000:
            pause = 500 + world.dice.below(5000)
            world.after(start, lambda toggle=toggle: toggle(is_up=False))  # type: ignore[misc]
            world.after(start + pause, lambda toggle=toggle: toggle(is_up=True))  # type: ignore[misc]
            start += pause + 5000 + world.dice.below(20_000)


@pytest.mark.parametrize("seed", range(10))
def test_everybody_gets_everything_though_some_lie_stall_and_crash(seed: int) -> None:
    world = world_of(seed, seeds=2, liars=4, stallers=3, leechers=24)
    crash_now_and_then(world, ["seed1", *[f"leecher{place}" for place in range(6)]])

    world.run()

    for peer in leechers_of(world):
        assert peer.presence.is_full, peer.name
        assert not peer.failed, peer.name
        assert peer.banned <= {"liar0", "liar1", "liar2", "liar3"}
    from_peers = sum(sum(peer.received.values()) for peer in leechers_of(world))
    assert from_peers >= 24 * BLOCKS


@pytest.mark.parametrize("seed", range(3))
def test_liars_alone_end_in_bad_data_and_nothing_is_kept(seed: int) -> None:
    world = world_of(seed, seeds=0, liars=5, stallers=0, leechers=10)
    world.loss_percent = 0

    world.run()

    for peer in leechers_of(world):
        assert peer.presence.held == 0
        assert peer.failed == [FailureReason.BAD_DATA]


@pytest.mark.parametrize("seed", range(3))
def test_stallers_alone_end_in_unreachable(seed: int) -> None:
    world = world_of(seed, seeds=0, liars=1, stallers=4, leechers=10)

    world.run()

    for peer in leechers_of(world):
        assert peer.presence.held == 0
        assert peer.failed == [FailureReason.PROVIDERS_UNREACHABLE]


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_that_is_gone_for_good_leaves_no_providers(seed: int) -> None:
    world = world_of(seed, seeds=0, liars=0, stallers=0, leechers=3)
    half = Presence(BLOCKS)
    for index in range(BLOCKS // 2):
        half.add(index)
    world.peers["half"] = Peer(world, "half", Nature.HONEST, half)
    world.loss_percent = 0

    world.run()

    for peer in leechers_of(world):
        assert peer.presence.held == BLOCKS // 2
        assert peer.failed == [FailureReason.NO_PROVIDERS]
