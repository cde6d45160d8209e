"""Scores observers against the truth: entropy, best guess, and whether they can be believed.

An observer who is sure of what is wrong, or unsure of what it finds, says nothing about the system.
So each report says whether the observer is calibrated (MIX-31): what it believes of its best guess
is, on average, how often that is right; and the surprise of the truth is the entropy it states.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from logos_anonymity.measures import FAR, Estimate, Z, entropy_bits, mean, min_entropy_bits, share
from logos_anonymity.model import Message, Run
from logos_anonymity.posterior import Observer, Posterior, Start

MARGIN: Final = 20.0
"""Mean delays at either end of a capture without targets: mixes fill, and packets arrive."""
_SURPRISED_BITS: Final = 30.0
"""For a truth that was taken to be impossible."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an observer found out about a number of targets."""

    targets: int
    entropy_bits: Estimate
    """The mean."""
    min_entropy_bits: Estimate
    believed: Estimate
    """The mean probability of the best guess."""
    success: Estimate
    """How often the best guess was right."""
    surprise_bits: Estimate
    """The mean surprise of the truth: of a calibrated observer, the entropy."""

    @property
    def effective_set(self) -> float:
        """So many equally likely packets have the same entropy."""
        return 2**self.entropy_bits.value

    @property
    def is_calibrated(self) -> bool:
        """Whether the observer's beliefs agree with the truth, as far as so many targets show."""
        return self.success.holds(self.believed.value)

    @property
    def is_refuted(self) -> bool:
        """Whether beliefs or entropy are off by more than chance is once in a thousand times.

        For judging many reports: of twenty calibrated ones, one is not by `is_calibrated`.
        """
        hits = round(self.success.value * self.targets)
        surprise = self.surprise_bits
        room = (surprise.high - surprise.value) * FAR / Z
        return (
            not share(hits, self.targets, FAR).holds(self.believed.value)
            or abs(surprise.value - self.entropy_bits.value) > room
        )


def score(posteriors: Iterable[tuple[Posterior, int]]) -> Report:
    """Scores pairs of a posterior and the true exit; from two on."""
    beliefs: list[tuple[float, float, float, float]] = []
    hits = 0
    for posterior, truth in posteriors:
        shares = posterior.values()
        best = max(posterior, key=posterior.__getitem__)
        hits += best == truth
        found = posterior.get(truth, 0.0)
        surprise = -math.log2(found) if found > 0 else _SURPRISED_BITS
        beliefs.append((entropy_bits(shares), min_entropy_bits(shares), max(shares), surprise))
    entropy, least, believed, surprised = (list(each) for each in zip(*beliefs, strict=True))
    return Report(
        len(beliefs),
        mean(entropy),
        mean(least),
        mean(believed),
        share(hits, len(beliefs)),
        mean(surprised),
    )


def targets(run: Run, margin: float = MARGIN) -> list[Message]:
    """The messages of a run that are far enough from its ends."""
    if not run.crossings:
        return []
    margin_ms = margin * run.law.mean_delay_ms
    until_ms = run.crossings[-1].sent_ms - margin_ms
    return [one for one in run.messages if margin_ms <= one.given_ms <= until_ms]


def watch(observer: Observer, wanted: Sequence[Message], *, sees_first: bool) -> Report:
    """Has an observer find the exits of messages.

    `sees_first`: it knows the message's first crossing, so that only mixes hide it; else it knows
    when its user gave it to the sender, whose own traffic hides it too.
    """
    found = []
    for one in wanted:
        first = one.first if sees_first else None
        posterior = observer.exits(Start(one.sender, one.given_ms, first))
        if posterior:
            found.append((posterior, one.last))
    return score(found)


def waiting(run: Run, margin: float = MARGIN) -> float:
    """The mean number of packets that wait in a mix between two hops, k, over the run's middle."""
    from_ms = margin * run.law.mean_delay_ms
    until_ms = run.crossings[-1].sent_ms - from_ms
    arrived: dict[tuple[int, int], float] = {}
    held_ms = 0.0
    legs = zip(run.packets, run.hops, run.crossings, strict=True)
    for packet, hop, one in legs:
        if hop > 1:
            since = max(from_ms, arrived.pop((packet, hop - 1)))
            held_ms += max(0.0, min(until_ms, one.sent_ms) - since)
        arrived[packet, hop] = one.arrived_ms
    names = {one.sender for one in run.crossings}
    return held_ms / (until_ms - from_ms) / len(names)


def holding_times(run: Run) -> list[float]:
    """What mixes held packets for, in ms, in the order of their departures."""
    arrived: dict[int, float] = {}
    found = []
    for packet, hop, one in zip(run.packets, run.hops, run.crossings, strict=True):
        if hop > 1:
            found.append(one.sent_ms - arrived[packet])
        arrived[packet] = one.arrived_ms
    return found
