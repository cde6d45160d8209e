"""The truth on a live capture: what whoever sent and received messages knows of them.

Taps do not know which packet was whose. The program that sends through two nodes knows when it gave
a message, and when it was delivered; the crossings nearest to that are taken to be the message's.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from logos_anonymity.captures import MAX_LINE_BYTES, CaptureError, Crossing
from logos_anonymity.model import Law, Message

SLACK_MS: Final = 500.0
"""From a packet's arrival until its delivery is told."""
UNKNOWN: Final = -1
"""For a first crossing that nobody saw."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was sent and delivered, by the clock of the taps."""

    given_ns: int
    delivered_ns: int
    sender: str
    receiver: str


def read_deliveries(lines: Iterable[str]) -> list[Delivery]:
    """Reads lines of JSON: `{"given_ns", "delivered_ns", "from", "to"}`.

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
            found.append(Delivery(given, delivered, str(said["from"]), str(said["to"])))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CaptureError(f"line {number} is no delivery: {error}") from error
    return found


def messages(
    crossings: Sequence[Crossing], deliveries: Iterable[Delivery], began_ns: int
) -> list[Message]:
    """Finds the exits of messages; those whose arrival no tap saw are left out.

    Args:
        crossings: The capture; its times count from `began_ns`.
        deliveries: The truth.
        began_ns: The time of the first sighting.
    """
    came: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for number, crossing in enumerate(crossings):
        came[crossing.receiver].append((crossing.arrived_ms, number))
    for each in came.values():
        each.sort()
    found = []
    for one in deliveries:
        given_ms, delivered_ms = ((at - began_ns) / 1e6 for at in (one.given_ns, one.delivered_ns))
        arrivals = came[one.receiver]
        place = bisect_right(arrivals, (delivered_ms, len(crossings))) - 1
        if place >= 0 and delivered_ms - arrivals[place][0] <= SLACK_MS:
            last = arrivals[place][1]
            found.append(Message(given_ms, one.sender, one.receiver, UNKNOWN, last))
    return found


def waiting_by_rate(crossings: Sequence[Crossing], law: Law) -> float:
    """Estimates how many packets wait in a mix, from how many cross links (Little's law)."""
    for_ms = crossings[-1].sent_ms - crossings[0].sent_ms
    nodes = len({one.sender for one in crossings})
    return len(crossings) / for_ms / nodes * (law.hops - 1) / law.hops * law.mean_delay_ms
