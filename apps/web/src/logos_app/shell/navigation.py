"""The navigation: one entry a panel, with one figure. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logos_app.config import Other
from logos_app.nodes.model import NodeSeen
from logos_app.panels.contract import Panel
from logos_app.testnet.sentence import words_of

_PLACE: Final = re.compile(r"/(?:at|nodes)/([^/]+)(?:/([^/]+))?")
WITHOUT_MORE: Final = 3
"""Panels that a narrow screen shows beside the testnet."""


@dataclass(frozen=True, slots=True)
class Item:
    """An entry."""

    title: str
    slug: str
    href: str
    figure: str
    is_here: bool
    is_extra: bool = False
    """Left out on narrow screens: the page More has it."""
    heading: str = ""
    """Stands above it."""


def viewpoint_of(path: str, nodes: Sequence[NodeSeen]) -> str:
    """The node that a page is seen from: that of its address, else the first that answers."""
    found = _PLACE.match(path)
    names = [node.name for node in nodes]
    if found is not None and found[1] in names:
        return found[1]
    answering = [node.name for node in nodes if node.answers]
    return (answering or names or [""])[0]


def items(
    panels: Sequence[Panel],
    nodes: Sequence[NodeSeen],
    figures: Mapping[tuple[str, str], str],
    viewpoint: str,
    path: str,
) -> list[Item]:
    """The entries, seen from a node: panels of modules that some node of the testnet has."""
    there = {module.name for node in nodes for module in node.modules}
    shown = [panel for panel in panels if panel.module in there or not panel.module]
    found = _PLACE.match(path)
    here = found[2] if found is not None and path.startswith("/at/") else ""
    on_testnet = path.startswith(("/testnet", "/nodes/"))
    entries = [Item("Testnet", "testnet", "/testnet", words_of(len(nodes), "node"), on_testnet)]
    for position, panel in enumerate(shown):
        place = _place_for(panel.module, viewpoint, nodes)
        entries.append(
            Item(
                panel.title,
                panel.slug,
                f"/at/{place}/{panel.slug}/",
                figures.get((place, panel.slug), ""),
                here == panel.slug,
                is_extra=position >= WITHOUT_MORE,
            )
        )
    entries.append(
        Item("Parts", "parts", "/parts", "", path == "/parts", True, "For developers")  # noqa: FBT003
    )
    return entries


def items_of_others(others: Sequence[Other], nodes: Sequence[NodeSeen], path: str) -> list[Item]:
    """The entries of panels of third parties whose module some node has."""
    counts = {
        other.module: sum(node.module(other.module) is not None for node in nodes)
        for other in others
    }
    shown = [other for other in others if counts[other.module]]
    return [
        Item(
            other.title,
            f"by-{other.slug}",
            f"/by/{other.slug}/",
            f"on {words_of(counts[other.module], 'node')}",
            path == f"/by/{other.slug}/",
            is_extra=True,
            heading="" if position else "By others",
        )
        for position, other in enumerate(shown)
    ]


def _place_for(module: str, viewpoint: str, nodes: Sequence[NodeSeen]) -> str:
    """The viewpoint if it has the module, else the first node that has."""
    having = [node.name for node in nodes if node.module(module) is not None]
    return viewpoint if viewpoint in having or not having else having[0]
