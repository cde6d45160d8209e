"""Figures with their bars, as a table for people and as JSON for programs."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, and what it has to be."""

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    ratio: float | None = None
    """The value divided by that of the yardstick."""
    yardstick: str = ""
    ratio_at_least: float | None = None
    ratio_at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether it meets all of its bars; None if it has none."""
        judgements = []
        if self.at_least is not None:
            judgements.append(self.value >= self.at_least)
        if self.at_most is not None:
            judgements.append(self.value <= self.at_most)
        if self.ratio_at_least is not None:
            judgements.append(self.ratio is not None and self.ratio >= self.ratio_at_least)
        if self.ratio_at_most is not None:
            judgements.append(self.ratio is not None and self.ratio <= self.ratio_at_most)
        return all(judgements) if judgements else None

    @property
    def bar(self) -> str:
        """Its bars in words."""
        words = []
        if self.at_least is not None:
            words.append(f">= {self.at_least:g} {self.unit}")
        if self.at_most is not None:
            words.append(f"<= {self.at_most:g} {self.unit}")
        if self.ratio_at_least is not None:
            words.append(f"ratio >= {self.ratio_at_least:.2g}")
        if self.ratio_at_most is not None:
            words.append(f"ratio <= {self.ratio_at_most:.2g}")
        return ", ".join(words)


def ratio(values: Sequence[float], yardsticks: Sequence[float]) -> float:
    """Median of the ratios of each round to the yardstick of the same round."""
    return median(value / yardstick for value, yardstick in zip(values, yardsticks, strict=True))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all do not exceed; 0 if there are none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that every program has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def say(text: str) -> None:
    """Tells on standard error how far the program is."""
    print(text, file=sys.stderr, flush=True)


def publish(figures: Sequence[Figure], *, as_json: bool) -> int:
    """Prints the figures; returns the exit code, 1 if a bar was missed."""
    if as_json:
        print(json.dumps([asdict(figure) | {"met": figure.met} for figure in figures], indent=2))
    else:
        print(_table(figures))
    return 1 if any(figure.met is False for figure in figures) else 0


def _table(figures: Sequence[Figure]) -> str:
    verdicts = {True: "met", False: "MISSED", None: ""}
    rows = [("what", "measured", "ratio", "to", "bar", "")]
    rows += [
        (
            figure.what,
            f"{figure.value:,.{0 if abs(figure.value) >= 100 else 2}f} {figure.unit}",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            figure.yardstick,
            figure.bar,
            verdicts[figure.met],
        )
        for figure in figures
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths).rstrip())
    return "\n".join(lines)
