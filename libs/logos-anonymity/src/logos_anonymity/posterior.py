"""Bayes' rule on a capture: where did the packet go that left there, then?

Two observers, who both know the law of the mix and see all links (MIX-30):

- `Staged` also knows every crossing's hop number, as in a mix whose layers are apart. Delays have
  no memory, so of the packets that wait at one stage of a mix each is as likely to leave next as
  any other: its answer is exact but for the two points below.
- `Unstaged` sees what links show. An arrival may be an exit; a departure may begin there. Each
  explanation is weighed by its likelihood against the others' mean intensity: the packets
  beside the target are taken to be independent of one another, which is an approximation.

Both take a packet to visit no node twice, and its sender to be no candidate. Neither solves for
all packets at once, for instance by what is known of the loops of each node.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from logos_anonymity.captures import Crossing
from logos_anonymity.model import Law

HORIZON: Final = 8.0
"""Mean delays after which a packet is taken to have left: one in 3,000 has not."""
NEGLIGIBLE: Final = 1e-6
UNHELD: Final = 1e-3
"""Below this likelihood a packet no longer counts as waiting."""

Posterior = Mapping[int, float]
"""Probabilities of crossings, by their numbers in the capture. They add up to 1."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the observer knows of a target: its first crossing, or only who sent it when."""

    sender: str
    given_ms: float
    first: int | None = None


def law_as_seen(law: Law, crossings: Sequence[Crossing]) -> Law:
    """The law with the rate at which packets begin as the capture shows it, messages included."""
    nodes = {one.sender for one in crossings}
    for_ms = crossings[-1].sent_ms - crossings[0].sent_ms
    return replace(law, mean_pause_ms=for_ms * len(nodes) * law.hops / len(crossings))


class Observer(Protocol):
    """Someone who sees all links."""

    def exits(self, start: Start) -> Posterior:
        """Returns which crossings may be the last one of a target. Empty: none fits."""
        ...


Weights = Sequence[tuple[int, float]]


class _Steps(Protocol):
    def after(self, arrival: int, hop: int) -> Weights:
        """Weighs the crossings by which a packet may have gone on, that arrived by another."""
        ...

    def begun(self, start: Start) -> Weights:
        """Weighs the crossings by which a message may have left its sender."""
        ...

    def ended(self, arrival: int) -> float:
        """Weighs that a packet went no further."""
        ...


def _follow(steps: _Steps, crossings: Sequence[Crossing], hops: int, start: Start) -> Posterior:
    """Follows a target through all of its hops."""
    masses = dict(steps.begun(start)) if start.first is None else {start.first: 1.0}
    for hop in range(1, hops):
        reached: defaultdict[int, float] = defaultdict(float)
        for arrival, mass in masses.items():
            passed = {start.sender, crossings[arrival].sender}
            for departure, weight in steps.after(arrival, hop):
                reached[departure] += mass * weight * (crossings[departure].receiver not in passed)
        most = max(reached.values(), default=0.0)
        masses = {one: mass for one, mass in reached.items() if mass > NEGLIGIBLE * most}
    weighed = {one: mass * steps.ended(one) for one, mass in masses.items()}
    total = sum(weighed.values())
    return {one: mass / total for one, mass in weighed.items()} if total else {}


@dataclass(frozen=True, slots=True)
class Corruption:
    """What mixes tell that work for the observer."""

    nodes: frozenset[str] = frozenset()
    onward: Mapping[int, int] = field(default_factory=dict)
    """By which crossing a packet left one of them, that came by another."""
    own: frozenset[int] = frozenset()
    """Crossings of their own loops, which they recognise everywhere."""


@dataclass(slots=True)
class _Stage:
    """Departures of one stage of one mix, and how many packets waited just before each."""

    times_ms: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)


class Staged:
    """Knows hop numbers; the same as `Observer`."""

    def __init__(
        self,
        crossings: Sequence[Crossing],
        hops: Sequence[int],
        law: Law,
        corruption: Corruption | None = None,
    ) -> None:
        self._crossings = crossings
        self._law = law
        self._told = corruption or Corruption()
        self._stages: dict[tuple[str, int], _Stage] = defaultdict(_Stage)
        for name, hop, events in _events_of_stages(crossings, hops, self._told.own):
            stage, waiting = self._stages[name, hop], 0
            for at, is_departure, number in events:
                if is_departure:
                    stage.times_ms.append(at)
                    stage.numbers.append(number)
                    stage.waiting.append(waiting)
                waiting += -1 if is_departure else 1

    def exits(self, start: Start) -> Posterior:
        """Returns which crossings may be the last one of a target."""
        return _follow(self, self._crossings, self._law.hops, start)

    def after(self, arrival: int, hop: int) -> Weights:
        """Each of k waiting packets is the next to leave with probability 1/k."""
        came = self._crossings[arrival]
        if came.receiver in self._told.nodes:
            return [(self._told.onward[arrival], 1.0)] if arrival in self._told.onward else []
        stage, left, found = self._stages[came.receiver, hop], 1.0, []
        for at in range(bisect_right(stage.times_ms, came.arrived_ms), len(stage.times_ms)):
            part = left / max(1, stage.waiting[at])
            found.append((stage.numbers[at], part))
            left -= part
            if left < NEGLIGIBLE:
                break
        return found

    def begun(self, start: Start) -> Weights:
        """Loops begin with one intensity at all times: the law of the delay alone decides."""
        stage, mean_ms = self._stages[start.sender, 0], self._law.mean_delay_ms
        begin = bisect_right(stage.times_ms, start.given_ms)
        end = bisect_right(stage.times_ms, start.given_ms + HORIZON * mean_ms)
        waited = [(at_ms - start.given_ms) / mean_ms for at_ms in stage.times_ms[begin:end]]
        return [
            (number, math.exp(-each))
            for number, each in zip(stage.numbers[begin:end], waited, strict=True)
        ]

    def ended(self, arrival: int) -> float:  # noqa: ARG002 - another observer looks at it
        """Its hop number says so."""
        return 1.0


def _events_of_stages(
    crossings: Sequence[Crossing], hops: Sequence[int], without: frozenset[int]
) -> Iterator[tuple[str, int, list[tuple[float, bool, int]]]]:
    """Yields, for each node and hop, arrivals by that hop and departures by the next."""
    events: defaultdict[tuple[str, int], list[tuple[float, bool, int]]] = defaultdict(list)
    for number, (one, hop) in enumerate(zip(crossings, hops, strict=True)):
        if number in without:
            continue
        events[one.sender, hop - 1].append((one.sent_ms, True, number))
        events[one.receiver, hop].append((one.arrived_ms, False, number))
    for (name, hop), found in events.items():
        yield name, hop, sorted(found)


@dataclass(slots=True)
class _Node:
    """Departures of one node, and the intensity with which it sent just then."""

    times_ms: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    intensities: list[float] = field(default_factory=list)
    """Expected departures in a mean delay."""


class Unstaged:
    """Knows no hop numbers; the same as `Observer`."""

    def __init__(
        self, crossings: Sequence[Crossing], law: Law, corruption: Corruption | None = None
    ) -> None:
        self._crossings = crossings
        self._law = law
        self._told = corruption or Corruption()
        self._begun = law.mean_delay_ms / law.mean_pause_ms
        self._held = (law.hops - 1) / law.hops
        self._nodes: dict[str, _Node] = {}
        self._weights: dict[int, tuple[Weights, float]] = {}
        for name, events in _events_of_nodes(crossings, self._told.own):
            self._nodes[name] = self._intensities(events)

    def exits(self, start: Start) -> Posterior:
        """Returns which crossings may be the last one of a target."""
        return _follow(self, self._crossings, self._law.hops, start)

    def after(self, arrival: int, hop: int) -> Weights:
        """The law of the delay, against the intensity of all other departures."""
        if self._crossings[arrival].receiver in self._told.nodes:
            return [(self._told.onward[arrival], 1.0)] if arrival in self._told.onward else []
        weights, scale = self._weighed(arrival)
        if hop > 1:
            return weights
        # Of the first hop it is known that the packet goes on; later it is a finding.
        return [(departure, weight * scale) for departure, weight in weights]

    def begun(self, start: Start) -> Weights:
        """As if it had arrived there when its user gave it."""
        return self._likelihoods(self._nodes.get(start.sender, _Node()), start.given_ms, 0.0)

    def ended(self, arrival: int) -> float:
        """What no departure explains has probably ended."""
        if self._crossings[arrival].receiver in self._told.nodes:
            return float(arrival not in self._told.onward)
        return 1 / self._weighed(arrival)[1]

    def _weighed(self, arrival: int) -> tuple[Weights, float]:
        """Returns how likely each continuation is, and all of them and none together."""
        known = self._weights.get(arrival)
        if known is None:
            came = self._crossings[arrival]
            node = self._nodes.get(came.receiver, _Node())
            found = self._likelihoods(node, came.arrived_ms, self._held)
            scale = 1 - self._held + self._held * sum(weight for _, weight in found)
            weights = [(departure, weight / scale) for departure, weight in found]
            known = self._weights[arrival] = weights, scale
        return known

    def _likelihoods(self, node: _Node, since_ms: float, held: float) -> Weights:
        """Returns what each departure is worth for one that waits from a time on.

        `held`: how likely it seemed that it waits, as part of the node's intensity, which it has
        to be taken out of.
        """
        mean_ms, last_ms, found = self._law.mean_delay_ms, since_ms, []
        begin = bisect_right(node.times_ms, since_ms)
        end = bisect_right(node.times_ms, since_ms + HORIZON * mean_ms)
        for at in range(begin, end):
            at_ms = node.times_ms[at]
            held = _aged(held, (at_ms - last_ms) / mean_ms)
            others = max(node.intensities[at] - held, self._begun)
            found.append((node.numbers[at], math.exp((since_ms - at_ms) / mean_ms) / others))
            held *= others / (others + held)
            last_ms = at_ms
        return found

    def _intensities(self, events: Sequence[tuple[float, bool, int]]) -> _Node:
        """Follows how likely each packet is to wait still, from event to event."""
        node, mean_ms = _Node(), self._law.mean_delay_ms
        waiting: list[float] = []
        last_ms = 0.0
        for at, is_departure, number in events:
            passed = (at - last_ms) / mean_ms
            waiting = [held for one in waiting if (held := _aged(one, passed)) > UNHELD]
            last_ms = at
            if not is_departure:
                waiting.append(self._held)
                continue
            intensity = self._begun + sum(waiting)
            node.times_ms.append(at)
            node.numbers.append(number)
            node.intensities.append(intensity)
            waiting = [held * (intensity - held) / intensity for held in waiting]
        return node


def _aged(held: float, passed: float) -> float:
    """How likely a packet waits still, that has not left in so many mean delays."""
    left = held * math.exp(-passed)
    return left / (1 - held + left)


def _events_of_nodes(
    crossings: Sequence[Crossing], without: frozenset[int]
) -> Iterator[tuple[str, list[tuple[float, bool, int]]]]:
    events: defaultdict[str, list[tuple[float, bool, int]]] = defaultdict(list)
    for number, one in enumerate(crossings):
        if number in without:
            continue
        events[one.sender].append((one.sent_ms, True, number))
        events[one.receiver].append((one.arrived_ms, False, number))
    for name, found in events.items():
        yield name, sorted(found)
