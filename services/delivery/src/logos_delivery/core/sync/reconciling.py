"""Compares ranges of another node with this node's messages, and says what is left to say.

Spec: docs/protocol/delivery-store.md, DST-33, DST-34. Source: WAKU2-SYNC.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from logos_delivery.core.archive.types import Position
from logos_delivery.core.sync.index import View
from logos_delivery.core.sync.types import (
    NO_HASH,
    Bounds,
    Fingerprint,
    ItemSet,
    Range,
    Skip,
)

MAX_SET: Final = 100
"""Messages up to which a range is told by its set, not by fingerprints of its parts."""
PARTS: Final = 8


@dataclass(slots=True)
class Outcome:
    """What one message of a reconciliation brings."""

    ranges: list[Range] = field(default_factory=list)
    """To answer; none: the reconciliation is over."""
    missing_there: list[Position] = field(default_factory=list)
    missing_here: list[Position] = field(default_factory=list)


def compare(view: View, ranges: Sequence[Range], floor: Position) -> Outcome:
    """Compares ranges (DST-33).

    Args:
        view: This node's messages of the topics that both have.
        ranges: The other node's; each begins where the one before ends.
        floor: From where on this node's messages are compared; what ends before is skipped.
    """
    outcome = Outcome()
    for one in ranges:
        if isinstance(one, Skip) or one.bounds.upper <= floor:
            answer: list[Range] = [Skip(one.bounds)]
        elif isinstance(one, Fingerprint):
            answer = list(_narrowed(view, one, floor))
        else:
            answer = [_matched(view, one, floor, outcome)]
        for part in answer:
            _append(outcome.ranges, part)
    if all(isinstance(one, Skip) for one in outcome.ranges):
        outcome.ranges.clear()
    return outcome


def _append(ranges: list[Range], one: Range) -> None:
    """Adds a range; one that is skipped makes the skipped one before it longer.

    Not one that ends with a hash: only one that is shorter than a nanosecond can be encoded so.
    """
    is_plain = isinstance(one, Skip) and one.bounds.upper.hash == NO_HASH
    if is_plain and ranges and isinstance(ranges[-1], Skip):
        ranges[-1] = Skip(Bounds(ranges[-1].bounds.lower, one.bounds.upper))
    else:
        ranges.append(one)


def _narrowed(view: View, theirs: Fingerprint, floor: Position) -> Iterator[Range]:
    bounds = theirs.bounds
    if view.fingerprint(bounds) == theirs.value:
        yield Skip(bounds)
    elif view.count(bounds) <= MAX_SET or bounds.width_ns < PARTS:
        yield _set_of(view, bounds)
    else:
        for part in parts_of(bounds):
            if part.upper <= floor:
                yield Skip(part)
            elif view.count(part) <= MAX_SET:
                yield _set_of(view, part)
            else:
                yield Fingerprint(part, view.fingerprint(part))


def _set_of(view: View, bounds: Bounds) -> ItemSet:
    return ItemSet(bounds, tuple(view.items(bounds)), is_reconciled=False)


def _matched(view: View, theirs: ItemSet, floor: Position, outcome: Outcome) -> Range:
    ours = view.items(theirs.bounds)
    here, there = set(ours), set(theirs.items)
    outcome.missing_there += (one for one in ours if one not in there)
    outcome.missing_here += (one for one in theirs.items if one >= floor and one not in here)
    if theirs.is_reconciled or here == there:
        return Skip(theirs.bounds)
    return ItemSet(theirs.bounds, tuple(ours), is_reconciled=True)


def parts_of(bounds: Bounds) -> list[Bounds]:
    """Returns eight parts of equal time; the first are longer by one where it does not divide."""
    step, rest = divmod(bounds.width_ns, PARTS)
    parts, lower = [], bounds.lower
    for number in range(PARTS):
        end_ns = lower.timestamp_ns + step + (number < rest)
        upper = Position(end_ns, NO_HASH) if number < PARTS - 1 else bounds.upper
        parts.append(Bounds(lower, upper))
        lower = upper
    return parts
