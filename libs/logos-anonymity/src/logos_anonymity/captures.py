"""What an observer of links sees: when a packet crosses a link, which way, and how large it is.

A tap writes sightings, as lines of JSON (MIX-32): each node those of its own packets, as they leave
and as they arrive. Two sightings of one packet are joined by their order on the link, since a
link is one stream. Nothing here holds content, and nothing names a packet.
"""

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MAX_LINE_BYTES: Final = 4_096
KEYS: Final = frozenset({"time_ns", "from", "to", "bytes", "seen"})
SENT: Final = "sent"
ARRIVED: Final = "arrived"
LOST_NS: Final = 2_000_000_000
"""What has not arrived by then is taken to be lost with its stream; else one lost packet would have
each later one of its link taken for the one before."""
_NS_PER_MS: Final = 1_000_000


class CaptureError(ValueError):
    """A file is no capture; says in which line."""


@dataclass(frozen=True, slots=True, order=True)
class Sighting:
    """A packet as it leaves its sender's machine, or as it reaches its receiver's."""

    time_ns: int
    """Of one clock for all nodes."""
    sender: str
    receiver: str
    size_bytes: int
    seen: str
    """`SENT` or `ARRIVED`."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A packet on a link, from end to end."""

    sent_ms: float
    arrived_ms: float
    sender: str
    receiver: str
    size_bytes: int


def read_sightings(lines: Iterable[str]) -> list[Sighting]:
    """Reads the lines of a tap's file.

    Raises:
        CaptureError: A line is not of that form.
    """
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            found.append(_sighting(number, line))
    return found


def _sighting(number: int, line: str) -> Sighting:
    if len(line) > MAX_LINE_BYTES:
        raise CaptureError(f"line {number} has more than {MAX_LINE_BYTES} characters")
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CaptureError(f"line {number} is not JSON") from error
    if not isinstance(said, dict) or said.keys() != KEYS:
        raise CaptureError(f"line {number} must have {', '.join(sorted(KEYS))}, and no more")
    is_right = (
        all(isinstance(said[key], str) for key in ("from", "to"))
        and all(type(said[key]) is int and said[key] >= 0 for key in ("time_ns", "bytes"))
        and said["seen"] in {SENT, ARRIVED}
    )
    if not is_right:
        raise CaptureError(f"line {number} has a value that is none of its kind")
    return Sighting(said["time_ns"], said["from"], said["to"], said["bytes"], said["seen"])


def joined(sightings: Iterable[Sighting]) -> list[Crossing]:
    """Joins the two sightings of each packet, in the order in which packets were sent.

    One that was sent and never seen to arrive is left out: it was lost, or the capture ends.
    Times are milliseconds from the first sighting on.
    """
    ordered = sorted(sightings)
    began_ns = ordered[0].time_ns if ordered else 0
    under_way: defaultdict[tuple[str, str], deque[Sighting]] = defaultdict(deque)
    found = []
    for one in ordered:
        link = under_way[one.sender, one.receiver]
        if one.seen == SENT:
            link.append(one)
            continue
        while link and one.time_ns - link[0].time_ns > LOST_NS:
            link.popleft()
        if link:
            sent = link.popleft()
            left_ms, came_ms = ((at.time_ns - began_ns) / _NS_PER_MS for at in (sent, one))
            found.append(Crossing(left_ms, came_ms, one.sender, one.receiver, one.size_bytes))
    return sorted(found, key=_sent)


def sizes(sightings: Sequence[Sighting]) -> frozenset[int]:
    """The sizes of packets: one, or the mix tells them apart."""
    return frozenset(one.size_bytes for one in sightings)


def _sent(crossing: Crossing) -> float:
    return crossing.sent_ms
