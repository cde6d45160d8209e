"""Charts as the numbers of inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_NICE: Final = (1, 2, 5, 10)


def nice_top(value: float) -> float:
    """The top of an axis: 1, 2 or 5 times a power of ten, at least `value` and at least 1."""
    power = 1.0
    while power * 10 < value:
        power *= 10
    return next(factor * power for factor in _NICE if factor * power >= value)


def polyline(values: Sequence[float], *, width: float, height: float, top: float) -> str:
    """`points` of a line over the whole width; empty below two values."""
    if len(values) < 2:
        return ""
    step = width / (len(values) - 1)
    return " ".join(
        f"{position * step:.1f},{height - height * min(max(value, 0), top) / top:.1f}"
        for position, value in enumerate(values)
    )


@dataclass(frozen=True, slots=True)
class Spark:
    """A small line with the area below it, in a box of 100 by 28."""

    line: str
    area: str
    label: str


def spark(values: Sequence[float], label: str) -> Spark:
    """A spark of values, or none of fewer than two. `label`: what it says, for who cannot see."""
    top = max([*values, 1.0]) * 1.25
    line = polyline(values, width=100, height=28, top=top)
    first = line.partition(",")[2].partition(" ")[0]
    area = f"M0 28V{first}L{line.replace(',', ' ')}V28Z" if line else ""
    return Spark(line, area, label)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar, in percent of its width."""

    x: float
    width: float


def runs(held: Sequence[bool]) -> list[Part]:
    """The parts of a bar where blocks are held."""
    edges = [False, *held, False]
    starts = [at for at, (before, after) in enumerate(pairwise(edges)) if after and not before]
    ends = [at for at, (before, after) in enumerate(pairwise(edges)) if before and not after]
    one = 100 / max(len(held), 1)
    return [Part(start * one, (end - start) * one) for start, end in zip(starts, ends, strict=True)]
