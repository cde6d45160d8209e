"""What is known of the mix of a node, over the last minutes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from logos.network.v1 import mix_pb2 as pb
from logos_app.panels.mixnet.journey import Journey
from logos_app.shown import charts

POINTS: Final = 120
"""Ten minutes, one every five seconds."""
WIDTH: Final = 100.0
HEIGHT: Final = 100.0
MOST_BARS: Final = 24
"""Of the crowd that hides a message; what is more is said."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The meter at one moment."""

    at_ms: int
    bits: float
    best_guess: float


@dataclass(frozen=True, slots=True)
class MixSeen:
    """The mix of a node, as the app saw it last."""

    status: pb.MixGetStatusResponse | None = None
    as_of_ms: int = 0
    readings: tuple[Reading, ...] = ()
    """Oldest first."""
    journey: Journey | None = None
    """The last request that was sent from here by the page."""


def with_status(seen: MixSeen, status: pb.MixGetStatusResponse, now_ms: int) -> MixSeen:
    """A mix after it was asked how it does."""
    return replace(seen, status=status, as_of_ms=now_ms)


def with_reading(seen: MixSeen) -> MixSeen:
    """A mix after a point more of its meter."""
    if seen.status is None:
        return seen
    found = seen.status.anonymity
    point = Reading(seen.as_of_ms, found.entropy_bits, found.best_guess)
    return replace(seen, readings=(*seen.readings, point)[-POINTS:])


@dataclass(frozen=True, slots=True)
class Line:
    """The meter over time, as the numbers of a chart."""

    points: str
    top: float
    label: str
    marks: tuple[float, ...] = field(default=())
    """Of the axis, from its top to 0."""


def line(readings: Sequence[Reading]) -> Line:
    """The meter's line; without points where there are fewer than two readings."""
    values = [reading.bits for reading in readings]
    top = charts.nice_top(max(values, default=1.0))
    points = charts.polyline(values, width=WIDTH, height=HEIGHT, top=top)
    if not points:
        label = "Anonymity over time: too little was read yet"
    else:
        low, high = min(values), max(values)
        label = f"Anonymity over time: from {low:.1f} to {high:.1f} bits, now {values[-1]:.1f}"
    return Line(points, top, label, (top, top / 2, 0.0))


def crowd(waiting: float) -> int:
    """One's own message and those that wait beside it."""
    return 1 + round(waiting)


def bars(waiting: float) -> int:
    """How many of them are drawn."""
    return min(crowd(waiting), MOST_BARS)


def expected_waiting(profile: pb.MixProfile) -> float:
    """Packets that wait in a mix by the cover traffic of a profile alone (MIX-21)."""
    pause_ms = profile.mean_pause.ToMilliseconds()
    if pause_ms <= 0:
        return 0.0
    return (profile.hops - 1) * profile.mean_delay.ToMilliseconds() / pause_ms
