"""Until when a light client is certain to have been pushed everything of a topic.

Each service peer covers a topic from when it took the subscription until the last time it was
proven to have it. Where no peer's time joins that of another one, something may be missing.

Spec: docs/protocol/delivery-light.md, DLC-13.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """What one peer covers. It may go on after `proven_ms`; that is known later."""

    since_ms: int
    proven_ms: int


@dataclass(frozen=True, slots=True)
class Covered:
    """What is known of a topic now."""

    until_ms: int
    gap: tuple[int, int] | None = None
    """From when to when something may be missing."""


def advance(until_ms: int, spans: Iterable[Span]) -> Covered:
    """Returns what spans add to a topic that is covered until some time.

    A peer that began before that time may still be proven to have covered all of it, so no gap
    is certain while there is one. Once all began later, the time before the first is a gap.
    """
    ordered = sorted(spans)
    if not ordered:
        return Covered(until_ms)
    gap = None
    first_ms = ordered[0].since_ms
    if first_ms > until_ms:
        gap, until_ms = (until_ms, first_ms), first_ms
    for span in ordered:
        if span.since_ms <= until_ms:
            until_ms = max(until_ms, span.proven_ms)
    return Covered(until_ms, gap)
