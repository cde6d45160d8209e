"""A request on its way through the mixes and back, as far as nodes of this testnet tell. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from logos.network.v1 import mix_pb2 as pb
from logos_app.nodes.reading import milliseconds
from logos_app.shown.problems import Problem


class Stage(StrEnum):
    """Where a packet is at a hop."""

    UNKNOWN = "unknown"
    """The hop is no node of this testnet."""
    AWAITED = "awaited"
    HELD = "held"
    FORWARDED = "forwarded"
    DELIVERED = "delivered"
    DROPPED = "dropped"


_STAGES = {
    pb.TraceResponse.STEP_HELD: Stage.HELD,
    pb.TraceResponse.STEP_FORWARDED: Stage.FORWARDED,
    pb.TraceResponse.STEP_DELIVERED: Stage.DELIVERED,
    pb.TraceResponse.STEP_DROPPED: Stage.DROPPED,
}


@dataclass(frozen=True, slots=True)
class Hop:
    """A hop. Times are those of its node's clock."""

    peer_id: str
    node: str
    """Its name; empty if it is no node of this testnet."""
    tag: bytes
    is_back: bool
    stage: Stage
    arrived_ms: int = 0
    left_ms: int = 0
    drawn_ms: float | None = None
    """The delay that was drawn for it."""
    why: str = ""
    """The reason for which it was dropped."""

    @property
    def held_ms(self) -> int | None:
        """How long the packet was there; None as long as that is not known."""
        return self.left_ms - self.arrived_ms if self.arrived_ms and self.left_ms else None


@dataclass(frozen=True, slots=True)
class Journey:
    """A request, from the click to the answer."""

    destination: str
    """Name of the node."""
    mean_delay_ms: int
    hops: tuple[Hop, ...] = ()
    """Those to the destination, then those of the answer."""
    anonymity: pb.Anonymity | None = None
    departed_ms: int = 0
    """By the app's clock."""
    round_trip_ms: int | None = None
    under_way_ms: int | None = None
    problem: Problem | None = None

    @property
    def is_over(self) -> bool:
        """Whether the answer has come, or none will."""
        return self.round_trip_ms is not None or self.problem is not None

    @property
    def dropped(self) -> Hop | None:
        """The hop that has dropped it, if one has."""
        return next((hop for hop in self.hops if hop.stage is Stage.DROPPED), None)

    @property
    def forward(self) -> list[Hop]:
        """The hops to the destination."""
        return [hop for hop in self.hops if not hop.is_back]

    @property
    def back(self) -> list[Hop]:
        """The hops of the answer."""
        return [hop for hop in self.hops if hop.is_back]


def planned(
    journey: Journey, plan: pb.MixPingResponse.Planned, names: Mapping[str, str]
) -> Journey:
    """A request whose path is known. `names`: nodes of this testnet by peer id."""
    hops = (*_hops(plan.forward, names, is_back=False), *_hops(plan.back, names, is_back=True))
    return replace(journey, hops=hops, anonymity=plan.anonymity)


def _hops(way: Sequence[pb.TracedHop], names: Mapping[str, str], *, is_back: bool) -> list[Hop]:
    return [
        Hop(
            hop.peer_id,
            names.get(hop.peer_id, ""),
            hop.tag,
            is_back,
            Stage.AWAITED if hop.peer_id in names else Stage.UNKNOWN,
        )
        for hop in way
    ]


def tags(journey: Journey) -> dict[str, list[bytes]]:
    """What each node of this testnet knows the packets by."""
    found: dict[str, list[bytes]] = {}
    for hop in journey.hops:
        if hop.node:
            found.setdefault(hop.node, []).append(hop.tag)
    return found


def traced(journey: Journey, node: str, step: pb.TraceResponse) -> Journey:
    """A request after a node has told what happened to one of its packets."""
    stage = _STAGES.get(step.step)
    if stage is None:
        return journey
    hops = tuple(
        _moved(hop, stage, step) if (hop.node, hop.tag) == (node, step.tag) else hop
        for hop in journey.hops
    )
    return replace(journey, hops=hops)


def _moved(hop: Hop, stage: Stage, step: pb.TraceResponse) -> Hop:
    at_ms = milliseconds(step.at)
    if stage is Stage.HELD:
        drawn_ms = step.delay.ToMicroseconds() / 1000
        return replace(hop, stage=stage, arrived_ms=at_ms, drawn_ms=drawn_ms)
    return replace(hop, stage=stage, left_ms=at_ms, why=step.detail)


def answered(journey: Journey, answer: pb.MixPingResponse.Answered) -> Journey:
    """A request whose answer is there."""
    return replace(
        journey,
        round_trip_ms=answer.round_trip.ToMilliseconds(),
        under_way_ms=answer.under_way.ToMilliseconds(),
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """When a packet was at a hop, in percent of the whole way."""

    x: float
    width: float


def bar(journey: Journey, hop: Hop) -> Bar | None:
    """The bar of a hop; None as long as nothing is known."""
    if not hop.arrived_ms or not journey.departed_ms:
        return None
    whole_ms = _whole_ms(journey)
    begin = _percent(hop.arrived_ms - journey.departed_ms, whole_ms)
    end = _percent((hop.left_ms or hop.arrived_ms) - journey.departed_ms, whole_ms)
    return Bar(min(begin, 99.0), max(end - begin, 1.0))


def _whole_ms(journey: Journey) -> float:
    """The time that is drawn: the whole, once it is known; else what it may take."""
    if journey.under_way_ms is not None:
        return max(journey.under_way_ms, 1)
    times = (max(hop.arrived_ms, hop.left_ms) for hop in journey.hops)
    seen = max(times, default=0) - journey.departed_ms
    return max(seen, journey.mean_delay_ms * (len(journey.hops) + 1), 1)


def _percent(part_ms: float, whole_ms: float) -> float:
    return min(max(100 * part_ms / whole_ms, 0.0), 100.0)
