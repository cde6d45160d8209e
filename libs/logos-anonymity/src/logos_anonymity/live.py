"""The truth on a live capture: what senders and receivers of messages know of them.

Taps do not know which packet was whose. The program that sends through two nodes knows when it gave
a message, when the sender said that it had left, and when it was delivered. The crossing just
before that is the message's; where there are two, the message is left out.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from statistics import median
from typing import Final

from logos_anonymity.captures import MAX_LINE_BYTES, CaptureError, Crossing
from logos_anonymity.measures import mean
from logos_anonymity.model import Law, Message

LEFT_MS: Final = 100.0
"""At most, from when a packet leaves until its user is told."""
CAME_MS: Final = 250.0
"""At most, from when a packet arrives until its user is told: its proof is verified meanwhile."""
UNKNOWN: Final = -1
"""For a first crossing that is not known."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was sent and delivered, by the clock of the taps."""

    given_ns: int
    delivered_ns: int
    sender: str
    receiver: str
    left_ns: int | None = None
    """When the sender said that it had left; None if it was not recorded."""


def read_deliveries(lines: Iterable[str]) -> list[Delivery]:
    """Reads lines of JSON: `{"given_ns", "delivered_ns", "from", "to"}`, and `"left_ns"` or not.

    Raises:
        CaptureError: A line is not of that form.
    """
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line[: MAX_LINE_BYTES + 1])
            if len(line) > MAX_LINE_BYTES or not isinstance(said, dict):
                raise CaptureError(f"line {number} is no delivery")
            given, delivered = int(said["given_ns"]), int(said["delivered_ns"])
            left = None if said.get("left_ns") is None else int(said["left_ns"])
            found.append(Delivery(given, delivered, str(said["from"]), str(said["to"]), left))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CaptureError(f"line {number} is no delivery: {error}") from error
    return found


def messages(
    crossings: Sequence[Crossing],
    deliveries: Iterable[Delivery],
    began_ns: int,
    *,
    left_ms: float = LEFT_MS,
    came_ms: float = CAME_MS,
) -> list[Message]:
    """Finds the crossings of messages; those that cannot be told from another are left out.

    Args:
        crossings: The capture; its times count from `began_ns`.
        deliveries: The truth.
        began_ns: The time of the first sighting.
        left_ms: How long before it was told that it left, a message may have left.
        came_ms: The same for its arrival.
    """
    went = _Times((one.sender, one.sent_ms) for one in crossings)
    came = _Times((one.receiver, one.arrived_ms) for one in crossings)
    found = []
    for one in deliveries:
        given_ms, delivered_ms = ((at - began_ns) / 1e6 for at in (one.given_ns, one.delivered_ns))
        last = came.only_one(one.receiver, delivered_ms - came_ms, delivered_ms)
        first: int | None = UNKNOWN
        if one.left_ns is not None:
            told_ms = (one.left_ns - began_ns) / 1e6
            first = went.only_one(one.sender, told_ms - left_ms, told_ms)
        if first is not None and last is not None:
            found.append(Message(given_ms, one.sender, one.receiver, first, last))
    return found


def holds_ms(crossings: Sequence[Crossing], law: Law, found: Iterable[Message]) -> list[float]:
    """Returns what a hop held each message for, in ms: the mean of its hops.

    Of the links between its first and its last nobody knows which packet was the message: they are
    taken to be as long as the others.
    """
    link_ms = median(one.arrived_ms - one.sent_ms for one in crossings)
    return [
        (crossings[one.last].sent_ms - crossings[one.first].arrived_ms - (law.hops - 2) * link_ms)
        / (law.hops - 1)
        for one in found
        if one.first >= 0
    ]


def law_as_held(law: Law, holds: Sequence[float]) -> Law:
    """The law with the mean delay that messages had, if they show that it was longer.

    Nodes add their own time to the delays that they draw. Where delays are long that is nothing;
    beside the 200 ms of `demo` a busy machine's is not. An observer learns it by messages of its
    own.

    Args:
        law: Of the profile.
        holds: What hops held messages for (`holds_ms`); fewer than two show nothing.
    """
    if len(holds) < 2:
        return law
    found = mean(holds)
    return replace(law, mean_delay_ms=found.value) if found.low > law.mean_delay_ms else law


class _Times:
    """When packets were seen, at each node."""

    def __init__(self, seen: Iterable[tuple[str, float]]) -> None:
        self._seen: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        for number, (node, at_ms) in enumerate(seen):
            self._seen[node].append((at_ms, number))
        for each in self._seen.values():
            each.sort()

    def only_one(self, node: str, from_ms: float, until_ms: float) -> int | None:
        """Returns the crossing that was seen at a node between two times; None if not just one."""
        seen = self._seen[node]
        begin, end = (bisect_right(seen, at, key=itemgetter(0)) for at in (from_ms, until_ms))
        return seen[begin][1] if end - begin == 1 else None


def waiting_by_rate(crossings: Sequence[Crossing], law: Law) -> float:
    """Estimates how many packets wait in a mix, from how many cross links (Little's law)."""
    for_ms = crossings[-1].sent_ms - crossings[0].sent_ms
    nodes = len({one.sender for one in crossings})
    return len(crossings) / for_ms / nodes * (law.hops - 1) / law.hops * law.mean_delay_ms
