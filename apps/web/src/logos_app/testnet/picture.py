"""The map: nodes at even places on a line, links as arcs above it. Numbers for SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from logos_app.nodes.model import NodeSeen, pairs
from logos_app.shown import formats, words

BUSY_BYTES: Final = 1024 * 1024
"""A link that carries more a second is thick."""
MOST_WORDS: Final = 12
"""With more nodes, every tenth is named and the others are ticks."""


@dataclass(frozen=True, slots=True)
class Arc:
    """Half an ellipse over the line, in percent of the picture."""

    cx: float
    rx: float
    ry: float
    look: str
    """`busy`, `lost` or nothing."""
    label: str
    first: int
    second: int


def place(index: int, count: int) -> float:
    """Where a node stands, in percent of the width."""
    return round((index + 0.5) / count * 100, 3)


def height(span: int, count: int) -> float:
    """Half the height of an arc over `span` places, in percent."""
    share: float = (span / count) ** 0.75
    return round(8 + 84 * share, 2)


def arcs(nodes: Sequence[NodeSeen]) -> list[Arc]:
    """The arcs. A link of an isolated node to others that answer is lost."""
    count = len(nodes)
    found = []
    for pair in pairs(nodes):
        one, two = nodes[pair.first], nodes[pair.second]
        is_lost = not pair.is_linked and (one.is_isolated or two.is_isolated)
        if not pair.is_linked and not (is_lost and one.answers and two.answers):
            continue
        left, right = place(pair.first, count), place(pair.second, count)
        rate = f"{formats.number(round(pair.rate.messages))} messages/s"
        said = "lost" if is_lost else f"{rate}, {formats.rate(pair.rate.bytes)}"
        look = "lost" if is_lost else "busy" if pair.rate.bytes > BUSY_BYTES else ""
        label = f"{one.name} and {two.name}: {said}"
        middle, half = round((left + right) / 2, 3), round((right - left) / 2, 3)
        span = pair.second - pair.first
        found.append(Arc(middle, half, height(span, count), look, label, pair.first, pair.second))
    return found


def links_said(nodes: Sequence[NodeSeen]) -> str:
    """The picture in words."""
    between = pairs(nodes)
    linked = sum(pair.is_linked for pair in between)
    alone = [node.name for node in nodes if node.answers and node.is_isolated]
    said = f"{words.capital(words.counted(linked, 'link'))} of {len(between)} between the nodes."
    if alone:
        verb = "is" if len(alone) == 1 else "are"
        said += f" {words.listed(alone[:10])} {verb} isolated."
    return said


def rates(nodes: Sequence[NodeSeen]) -> list[list[float]]:
    """For the script that moves the bars: the nodes, messages/s and bytes/s of each link."""
    return [
        [pair.first, pair.second, round(pair.rate.messages, 1), round(pair.rate.bytes)]
        for pair in pairs(nodes)
        if pair.is_linked
    ]
