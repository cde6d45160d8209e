"""Does a stream of messages show at both its ends? (M4)

The observer counts packets in short intervals: what leaves one node, and what arrives at another.
It correlates the two over a minute, after spreading the first by the law of the delays between: the
best that second moments allow. A pair that talks should stand out from pairs that do not.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from logos_anonymity.captures import Crossing
from logos_anonymity.measures import Estimate, area, hit_rate_at
from logos_anonymity.model import Law

FLOW_MS = 60_000.0


@dataclass(frozen=True, slots=True)
class Roc:
    """How well flows are matched."""

    area: Estimate
    hits_at_1_percent: Estimate
    """Of true pairs, by the threshold that 1 % of the others exceed."""
    positives: Sequence[float]
    negatives: Sequence[float]

    def curve(self) -> list[tuple[float, float]]:
        """Points of the ROC curve: false alarms, hits."""
        thresholds = sorted({*self.positives, *self.negatives}, reverse=True)
        step = max(1, len(thresholds) // 100)
        return [(0.0, 0.0)] + [
            (_share(self.negatives, threshold), _share(self.positives, threshold))
            for threshold in [*thresholds[::step], thresholds[-1]]
        ]


def match_flows(
    crossings: Sequence[Crossing],
    law: Law,
    pairs: Mapping[str, str],
    begins_ms: Sequence[float],
    bins: int = 120,
) -> Roc:
    """Correlates all senders with all recipients, in each minute.

    Args:
        crossings: The capture.
        law: Of the mix.
        pairs: Who writes to whom.
        begins_ms: When each flow of `FLOW_MS` begins.
        bins: Into how many intervals a flow is counted.
    """
    width_ms = FLOW_MS / bins
    left: defaultdict[str, list[float]] = defaultdict(list)
    came: defaultdict[str, list[float]] = defaultdict(list)
    for one in crossings:
        left[one.sender].append(one.sent_ms)
        came[one.receiver].append(one.arrived_ms)
    kernel = _kernel(law, width_ms)
    positives: list[float] = []
    negatives: list[float] = []
    for begin_ms in begins_ms:
        sent = {n: _spread(_counts(left[n], begin_ms, width_ms, bins), kernel) for n in pairs}
        got = {n: _counts(came[n], begin_ms, width_ms, bins) for n in set(pairs.values())}
        for sender, recipient in pairs.items():
            for name, arrivals in got.items():
                if name != sender:
                    found = correlation(sent[sender], arrivals)
                    (positives if name == recipient else negatives).append(found)
    return Roc(
        area(positives, negatives), hit_rate_at(0.01, positives, negatives), positives, negatives
    )


def correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Pearson's correlation; 0 where one of them does not vary."""
    middle, center = sum(one) / len(one), sum(other) / len(other)
    first = [each - middle for each in one]
    second = [each - center for each in other]
    scale = math.sqrt(sum(a * a for a in first) * sum(b * b for b in second))
    return sum(a * b for a, b in zip(first, second, strict=True)) / scale if scale else 0.0


def _share(scores: Sequence[float], threshold: float) -> float:
    return sum(one >= threshold for one in scores) / len(scores)


def _counts(times: Sequence[float], begin_ms: float, width_ms: float, bins: int) -> list[float]:
    found = [0.0] * bins
    for at in times:
        place = math.floor((at - begin_ms) / width_ms)
        if 0 <= place < bins:
            found[place] += 1
    return found


def _kernel(law: Law, width_ms: float) -> list[float]:
    """The law of the time from the first hop to the exit, in intervals."""
    stages, mean = law.hops - 1, law.mean_delay_ms / width_ms
    length = max(1, math.ceil(4 * stages * mean))
    at = [(place + 0.5) / mean for place in range(length)]
    return [each ** (stages - 1) * math.exp(-each) for each in at]


def _spread(counts: Sequence[float], kernel: Sequence[float]) -> list[float]:
    found = [0.0] * len(counts)
    for place, count in enumerate(counts):
        if count:
            for lag, weight in enumerate(kernel[: len(counts) - place]):
                found[place + lag] += count * weight
    return found
