"""Line charts as SVG, without a library: what a document or a browser shows of a measurement."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 400
LEFT: Final = 70
RIGHT: Final = 20
TOP: Final = 44
BOTTOM: Final = 56
COLOURS: Final = ("#2f6fde", "#c2410c", "#15803d", "#7e22ce", "#525252")
TICKS: Final = 5

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One series."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Axis:
    """What is drawn along a side."""

    title: str
    low: float
    high: float

    def at(self, value: float, begin: float, end: float) -> float:
        """Returns where a value lies, between two places of the drawing."""
        return begin + (value - self.low) / (self.high - self.low) * (end - begin)

    def ticks(self) -> list[float]:
        """Returns the values that are written out."""
        return [self.low + (self.high - self.low) * n / TICKS for n in range(TICKS + 1)]


def chart(title: str, across: Axis, up: Axis, lines: Sequence[Line]) -> str:
    """Draws lines over two axes; returns a whole SVG document."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        '<g font-family="sans-serif" font-size="12" fill="#222">',
        _text(LEFT, 20, title, "start", size=14),
        _text((LEFT + right) / 2, HEIGHT - 12, across.title, "middle"),
        f'<g transform="rotate(-90 16 {(TOP + bottom) / 2:g})">',
        _text(16, (TOP + bottom) / 2, up.title, "middle"),
        "</g>",
    ]
    for value in across.ticks():
        x = across.at(value, LEFT, right)
        parts += [_line(x, TOP, x, bottom), _text(x, bottom + 18, f"{value:g}", "middle")]
    for value in up.ticks():
        y = up.at(value, bottom, TOP)
        parts += [_line(LEFT, y, right, y), _text(LEFT - 8, y + 4, f"{value:.3g}", "end")]
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            f"{across.at(x, LEFT, right):.1f},{up.at(y, bottom, TOP):.1f}" for x, y in line.points
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(_text(right - 6, TOP + 16 + 16 * number, line.name, "end", colour=colour))
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _text(
    x: float, y: float, said: str, anchor: str, *, size: int = 12, colour: str = "#222"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{colour}">{escape(said)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'
