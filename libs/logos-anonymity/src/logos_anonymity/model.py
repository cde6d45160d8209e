"""Captures of a mix by its law alone: no packets, no keys, no machines.

For statistics of many nodes and long times. That it is the law of the product's machines is
tested: `tests/simulation/test_mix_law.py` compares both. Packets do not wait for one another, as in
a relay below its bounds, so that each is drawn on its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

from logos_anonymity.captures import Crossing

TAIL: Final = 1e-6
"""Cut off the exponential law of delays, as MIX-18 says."""
PACKET_BYTES: Final = 4_608


class Rng(Protocol):
    """A source of chance."""

    def random(self) -> float:
        """Returns a number in [0, 1)."""
        ...


@dataclass(frozen=True, slots=True)
class Law:
    """What everybody knows of a mix: its profile."""

    mean_delay_ms: float
    mean_pause_ms: float
    """Between two loops of a node."""
    hops: int = 3
    is_constant: bool = False
    """Whether loops are sent at a constant rate instead of Poisson's."""

    @property
    def expected_waiting(self) -> float:
        """Packets that wait in a mix by loops alone, k."""
        return (self.hops - 1) * self.mean_delay_ms / self.mean_pause_ms


@dataclass(frozen=True, slots=True)
class Message:
    """A message of one packet: the truth, which no observer has."""

    given_ms: float
    """When its user gave it to the sender, which holds it for a delay too."""
    sender: str
    receiver: str
    first: int
    """Number of its first crossing in the capture."""
    last: int
    """Number of its last crossing: the exit."""


@dataclass(frozen=True, slots=True)
class Run:
    """A capture, and the truth on it."""

    law: Law
    crossings: Sequence[Crossing]
    """In the order in which they were sent."""
    hops: Sequence[int]
    """Of each crossing: 1 for the way to the first mix."""
    packets: Sequence[int]
    """Of each crossing: which packet it is."""
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Wish:
    """A message that is to be sent."""

    given_ms: float
    sender: str
    receiver: str


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens between and beside mixes."""

    latency_ms: tuple[float, float] = (1.0, 20.0)
    has_cover: bool = True
    has_entry_delay: bool = True
    """Whether the sender holds its messages before the first hop (MIX-22)."""
    busy_ms: float = 0.0
    """What nodes of a busy machine add to each delay, on average; of an exponential law too."""


Way = tuple[Sequence[str], Sequence[tuple[float, float]]]


class Model:
    """Draws runs. The names of its nodes are `n0`, `n1` and so on."""

    def __init__(self, law: Law, nodes: int, rng: Rng, weather: Weather | None = None) -> None:
        self.law = law
        self.names = [f"n{number}" for number in range(nodes)]
        self._rng = rng
        self._weather = weather or Weather()

    def run(self, for_ms: float, wishes: Sequence[Wish] = ()) -> Run:
        """Draws loops of every node for a time, and the messages that are wished for."""
        ways = [self._way(wish.sender, wish.receiver, self._left(wish)) for wish in wishes]
        if self._weather.has_cover:
            for name in self.names:
                ways += [self._way(name, name, at) for at in self._beginnings(for_ms)]
        return _assembled(self.law, ways, wishes)

    def delay_ms(self) -> float:
        """Draws what one hop holds a packet for."""
        held_ms = -self.law.mean_delay_ms * math.log1p(-self._rng.random() * (1 - TAIL))
        if busy_ms := self._weather.busy_ms:
            held_ms -= busy_ms * math.log1p(-self._rng.random())
        return held_ms

    def pick(self, names: Sequence[str]) -> str:
        """Draws one of them."""
        return names[int(self._rng.random() * len(names))]

    def _left(self, wish: Wish) -> float:
        return wish.given_ms + (self.delay_ms() if self._weather.has_entry_delay else 0.0)

    def _beginnings(self, for_ms: float) -> list[float]:
        pause_ms, found = self.law.mean_pause_ms, []
        at = self._rng.random() * pause_ms if self.law.is_constant else self._pause_ms()
        while at < for_ms:
            found.append(at)
            at += pause_ms if self.law.is_constant else self._pause_ms()
        return found

    def _pause_ms(self) -> float:
        return -self.law.mean_pause_ms * math.log1p(-self._rng.random())

    def _way(self, sender: str, receiver: str, at: float) -> Way:
        left = [name for name in self.names if name not in {sender, receiver}]
        mixes = [left.pop(int(self._rng.random() * len(left))) for _ in range(self.law.hops - 1)]
        low, high = self._weather.latency_ms
        times = []
        for hop in range(self.law.hops):
            at += self.delay_ms() if hop else 0.0
            arrived = at + low + (high - low) * self._rng.random()
            times.append((at, arrived))
            at = arrived
        return [sender, *mixes, receiver], times


def _assembled(law: Law, ways: Sequence[Way], wishes: Sequence[Wish]) -> Run:
    legs = sorted(
        (times[hop], packet, hop, link)
        for packet, (names, times) in enumerate(ways)
        for hop, link in enumerate(pairwise(names))
    )
    places = {(packet, hop): place for place, (_, packet, hop, _) in enumerate(legs)}
    return Run(
        law,
        [Crossing(*times, *link, PACKET_BYTES) for times, _, _, link in legs],
        [hop + 1 for _, _, hop, _ in legs],
        [packet for _, packet, _, _ in legs],
        [
            Message(w.given_ms, w.sender, w.receiver, places[n, 0], places[n, law.hops - 1])
            for n, w in enumerate(wishes)
        ],
    )
