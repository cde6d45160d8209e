"""Does a node send anything of its own? (M8)

An observer sees how many packets leave a node, when, and how many arrive. Three scores, each of a
node in an epoch or longer, higher for those that seem to send:

- `departures`: their number. Own messages come on top of loops.
- `off_grid`: those that do not fit the constant rate of the node's loops, where there is one.
- `balance`: departures less arrivals. Loops come back and forwards go on, so that in the long run
  only own messages are left: what a node sends more than it receives.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from logos_anonymity.captures import Crossing
from logos_anonymity.measures import Estimate, area

_GRID_MS = 2.0
"""How far a loop may be off its time."""


@dataclass(slots=True)
class Traffic:
    """What is seen of one node."""

    left_ms: list[float] = field(default_factory=list)
    came_ms: list[float] = field(default_factory=list)


def traffic(crossings: Sequence[Crossing]) -> Mapping[str, Traffic]:
    """Sorts a capture by nodes."""
    found: defaultdict[str, Traffic] = defaultdict(Traffic)
    for one in crossings:
        found[one.sender].left_ms.append(one.sent_ms)
        found[one.receiver].came_ms.append(one.arrived_ms)
    return found


def departures(seen: Traffic, begin_ms: float, end_ms: float) -> float:
    """How many packets left in a time."""
    return float(sum(begin_ms <= at < end_ms for at in seen.left_ms))


def balance(seen: Traffic, begin_ms: float, end_ms: float) -> float:
    """How many packets left more than came in a time."""
    return departures(seen, begin_ms, end_ms) - sum(begin_ms <= at < end_ms for at in seen.came_ms)


def off_grid(seen: Traffic, begin_ms: float, end_ms: float, pause_ms: float) -> float:
    """How many departures do not fit the best grid of that pause through a node's departures."""
    phases = Counter(round(at % pause_ms / _GRID_MS) for at in seen.left_ms)
    best = max(phases, key=phases.__getitem__, default=0)
    return float(
        sum(
            begin_ms <= at < end_ms and abs(round(at % pause_ms / _GRID_MS) - best) > 1
            for at in seen.left_ms
        )
    )


def told_apart(active: Sequence[float], idle: Sequence[float]) -> Estimate:
    """How well a score tells active nodes from idle ones: 0.5 is not at all."""
    return area(active, idle)
