"""Figures of distributions and of experiments, each with its uncertainty.

Intervals are of 95 %. They are what a figure that was measured on so many targets says of the
system; two figures whose intervals overlap are not told apart.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

Z: Final = 1.959964
"""Standard deviations of a normal distribution that hold 95 % of it."""
FAR: Final = 3.290527
"""Those that hold 99.9 %: where many figures are judged, one in twenty would be off by chance."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def holds(self, other: float) -> bool:
        """Whether a value lies within the interval."""
        return self.low <= other <= self.high


def entropy_bits(shares: Iterable[float]) -> float:
    """Shannon's entropy of a distribution, in bits."""
    return -sum(share * math.log2(share) for share in shares if share > 0)


def min_entropy_bits(shares: Iterable[float]) -> float:
    """What the best guess leaves open, in bits."""
    return -math.log2(max(shares))


def mean(values: Sequence[float]) -> Estimate:
    """The mean of measurements of independent targets, from two on."""
    middle = fmean(values)
    off = Z * stdev(values) / math.sqrt(len(values))
    return Estimate(middle, middle - off, middle + off)


def share(hits: int, tries: int, z: float = Z) -> Estimate:
    """The share of hits, with Wilson's interval, which holds at 0 and 1 too."""
    rate = hits / tries
    scale = 1 + z**2 / tries
    middle = (rate + z**2 / (2 * tries)) / scale
    off = z * math.sqrt(rate * (1 - rate) / tries + z**2 / (4 * tries**2)) / scale
    return Estimate(rate, max(0.0, middle - off), min(1.0, middle + off))


def advantage(hits: int, tries: int) -> Estimate:
    """By how much guesses of one of two beat a coin: 0 is none, 1 certainty."""
    won = share(hits, tries)
    return Estimate(*(2 * each - 1 for each in (won.value, won.low, won.high)))


def area(positives: Sequence[float], negatives: Sequence[float]) -> Estimate:
    """The area under the ROC curve of a score, with Hanley and McNeil's interval: 0.5 is chance."""
    ranked = sorted([(one, True) for one in positives] + [(one, False) for one in negatives])
    below = ties = 0
    total = 0.0
    place = 0
    while place < len(ranked):
        end = place
        while end < len(ranked) and ranked[end][0] == ranked[place][0]:
            end += 1
        hits = sum(is_positive for _, is_positive in ranked[place:end])
        ties = end - place - hits
        total += hits * (below + ties / 2)
        below += ties
        place = end
    first, second = len(positives), len(negatives)
    found = total / (first * second)
    one, other = found / (2 - found), 2 * found**2 / (1 + found)
    spread = found * (1 - found)
    spread += (first - 1) * (one - found**2) + (second - 1) * (other - found**2)
    off = Z * math.sqrt(max(0.0, spread) / (first * second))
    return Estimate(found, max(0.0, found - off), min(1.0, found + off))


def hit_rate_at(
    false_alarms: float, positives: Sequence[float], negatives: Sequence[float]
) -> Estimate:
    """The share of positives found by the threshold that so many negatives exceed."""
    ordered = sorted(negatives, reverse=True)
    threshold = ordered[min(len(ordered) - 1, math.floor(false_alarms * len(ordered)))]
    return share(sum(one > threshold for one in positives), len(positives))


def kolmogorov(samples: Iterable[float], law: Callable[[float], float]) -> float:
    """The p-value that samples come from a continuous law, given by its distribution function."""
    ordered = sorted(samples)
    count = len(ordered)
    distance = max(
        max(abs(law(one) - place / count), abs(law(one) - (place + 1) / count))
        for place, one in enumerate(ordered)
    )
    return _kolmogorov_tail(distance * math.sqrt(count))


def kolmogorov_two(first: Sequence[float], second: Sequence[float]) -> float:
    """The p-value that two samples come from one law."""
    one, other = sorted(first), sorted(second)
    at = above = 0
    distance = 0.0
    while at < len(one) and above < len(other):
        here = min(one[at], other[above])
        while at < len(one) and one[at] == here:
            at += 1
        while above < len(other) and other[above] == here:
            above += 1
        distance = max(distance, abs(at / len(one) - above / len(other)))
    return _kolmogorov_tail(distance * math.sqrt(len(one) * len(other) / (len(one) + len(other))))


def _kolmogorov_tail(scaled: float) -> float:
    if scaled < 0.2:  # the series converges slowly where it is 1 anyway
        return 1.0
    terms = ((1 if k % 2 else -1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * sum(terms)))


def chi_square(counts: Sequence[int], expected: Sequence[float]) -> float:
    """The p-value of counts, by Wilson and Hilferty's approximation, for five or more of each."""
    found: float = sum((one - due) ** 2 / due for one, due in zip(counts, expected, strict=True))
    freedom = len(counts) - 1
    scale = 2 / (9 * freedom)
    normal = (math.cbrt(found / freedom) - (1 - scale)) / math.sqrt(scale)
    return math.erfc(normal / math.sqrt(2)) / 2
