"""What else an observer may try: the nearest departure, corrupted mixes, and patience."""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logos_anonymity.captures import Crossing
from logos_anonymity.measures import Estimate, advantage
from logos_anonymity.model import Law, Message, Rng, Run
from logos_anonymity.posterior import HORIZON, Corruption, Observer, Posterior, Start

_FAINT: Final = 1e-3
"""Likelihood, of an average one, of a round that does not fit a sender: taps may miss packets."""


class Nearest:
    """Takes the next departure of a mix to be the packet that has just come: a baseline (M3)."""

    def __init__(self, crossings: Sequence[Crossing], law: Law) -> None:
        self._crossings = crossings
        self._hops = law.hops
        self._times: defaultdict[str, list[float]] = defaultdict(list)
        self._numbers: defaultdict[str, list[int]] = defaultdict(list)
        for number, one in enumerate(crossings):
            self._times[one.sender].append(one.sent_ms)
            self._numbers[one.sender].append(number)

    def exits(self, start: Start) -> Posterior:
        """Returns one crossing, with certainty; none where nothing leaves any more."""
        at = start.first
        for hop in range(self._hops):
            if hop == 0 and at is not None:
                continue
            node, since_ms = start.sender, start.given_ms
            if at is not None:
                node, since_ms = self._crossings[at].receiver, self._crossings[at].arrived_ms
            place = bisect_right(self._times[node], since_ms)
            if place == len(self._times[node]):
                return {}
            at = self._numbers[node][place]
        return {} if at is None else {at: 1.0}


def corrupted(run: Run, nodes: Iterable[str]) -> Corruption:
    """What these nodes know of a run, if they work for the observer."""
    bad = frozenset(nodes)
    origins: dict[int, str] = {}
    came: dict[int, int] = {}
    onward: dict[int, int] = {}
    own = set()
    legs = zip(run.packets, run.hops, run.crossings, strict=True)
    for number, (packet, hop, one) in enumerate(legs):
        if hop == 1:
            origins[packet] = one.sender
        elif one.sender in bad:
            onward[came[packet]] = number
        came[packet] = number
        if origins[packet] in bad:
            own.add(number)
    return Corruption(bad, onward, frozenset(own))


def fully_corrupted(run: Run, nodes: Iterable[str]) -> tuple[int, int]:
    """How many messages went through such nodes only, to the recipient, and how many did not."""
    bad = frozenset(nodes)
    through: defaultdict[int, list[str]] = defaultdict(list)
    for packet, one in zip(run.packets, run.crossings, strict=True):
        through[packet].append(one.receiver)
    paths = [through[run.packets[message.first]] for message in run.messages]
    hits = sum(bad.issuperset(path) for path in paths)
    return hits, len(paths) - hits


@dataclass(frozen=True, slots=True)
class Pair:
    """Two messages, whose recipients the observer knows, but not which is whose."""

    one: Message
    other: Message


def swap_advantage(observer: Observer, run: Run, pairs: Sequence[Pair], rng: Rng) -> Estimate:
    """How much better than a coin an observer tells who wrote to whom (M5).

    It is given both messages' first crossings and both recipients, and says which is whose.
    """
    hits = 0
    for pair in pairs:
        found = [_receivers(observer, run, one) for one in (pair.one, pair.other)]
        straight, crossed = (
            found[0].get(first, 0.0) * found[1].get(second, 0.0)
            for first, second in (
                (pair.one.receiver, pair.other.receiver),
                (pair.other.receiver, pair.one.receiver),
            )
        )
        hits += rng.random() < 0.5 if straight == crossed else straight > crossed
    return advantage(hits, len(pairs))


def _receivers(observer: Observer, run: Run, message: Message) -> Mapping[str, float]:
    """Returns how likely each node is the message's recipient."""
    found: defaultdict[str, float] = defaultdict(float)
    exits = observer.exits(Start(message.sender, message.given_ms, message.first))
    for number, likely in exits.items():
        found[run.crossings[number].receiver] += likely
    return found


class Intersection:
    """Who writes to a recipient again and again? (M6)

    The observer learns when each message arrived, and weighs for every node how well its departures
    before that fit the delay of a path. One round says little; rounds multiply.
    """

    def __init__(self, crossings: Sequence[Crossing], law: Law) -> None:
        self._law = law
        self._departures: defaultdict[str, list[float]] = defaultdict(list)
        for one in crossings:
            self._departures[one.sender].append(one.sent_ms)
        self._for_ms = crossings[-1].sent_ms - crossings[0].sent_ms
        self._logs: dict[str, float] = dict.fromkeys(self._departures, 0.0)

    def saw(self, arrived_ms: float, recipient: str) -> None:
        """Takes a round: a message arrived at that time."""
        self._logs.pop(recipient, None)
        for name in self._logs:
            self._logs[name] += math.log(_FAINT + self._fit(name, arrived_ms))

    def rank(self, name: str) -> int:
        """Returns the place of a node among the suspects: 1 is the first."""
        return 1 + sum(log > self._logs[name] for log in self._logs.values())

    def believed(self, name: str) -> float:
        """Returns how likely a node is the sender, by all rounds."""
        most = max(self._logs.values())
        weights = {each: math.exp(log - most) for each, log in self._logs.items()}
        return weights[name] / sum(weights.values())

    def _fit(self, name: str, arrived_ms: float) -> float:
        """The likelihood that one of a node's departures is the message's, of that of chance."""
        times, mean_ms = self._departures[name], self._law.mean_delay_ms
        stages = self._law.hops - 1
        begin = bisect_right(times, arrived_ms - stages * HORIZON * mean_ms)
        passed = [
            (arrived_ms - at) / mean_ms for at in times[begin : bisect_right(times, arrived_ms)]
        ]
        found = sum(each ** (stages - 1) * math.exp(-each) for each in passed)
        return found / math.factorial(stages - 1) / mean_ms * self._for_ms / len(times)
