"""`/parts`: every shared part, in every state, with made-up values."""

from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_app.nodes.model import Link, ModuleSeen, NodeSeen, Rate, Reach, Tip
from logos_app.shell.pages import shell_of
from logos_app.shown import charts, formats
from logos_app.shown.problems import Problem
from logos_app.testnet import broadcast, picture
from logos_app.testnet.logs import LogLine

router: Final = APIRouter()
SAMPLE_MS: Final = 1_795_874_551_204
_SAMPLE: Final[dict[str, Any]] = {
    "sample_ms": SAMPLE_MS,
    "sample_problem": Problem(
        "node2 does not answer: its kernel has stopped. `./logos up` starts it.",
        "KERNEL_UNREACHABLE",
    ),
    "sample_amount": formats.amount(128 * 1024**2, 206 * 1024**2),
    "sample_blocks": charts.runs([True] * 14 + [False] * 2 + [True] * 5 + [False] * 79),
    "sample_line": charts.polyline([2, 3, 15, 38, 36, 30, 32, 12], width=100, height=100, top=40),
    "sample_log": [
        LogLine(SAMPLE_MS, "info", "", "started, epoch 3"),
        LogLine(SAMPLE_MS, "warn", "warn", "2 uploads were unfinished and were removed, 4.1 MiB"),
        LogLine(SAMPLE_MS, "error", "bad", "lease refused: epoch 2 is older than 3"),
    ],
}


def _tip(height: int, fork_at: int = 1205) -> Tip:
    """The end of a chain whose blocks from `fork_at` on are others."""
    heights = range(height, height - 50, -1)
    return Tip(height, tuple(b"%d %d" % (each, each >= fork_at) for each in heights))


_TIP: Final = _tip(1204)
_TIPS: Final = {3: _tip(1201), 5: _tip(1204, fork_at=1203), 9: replace(_TIP, is_followed=False)}
"""Of a node that is behind, of one on another fork, and of one that is not followed."""


def _large(count: int = 100) -> list[NodeSeen]:
    """Nodes, each linked to the next and to one a few places on."""
    nodes = []
    for index in range(count):
        peers = [f"peer{(index + step) % count}" for step in (1, 2 + index % 7)]
        nodes.append(
            NodeSeen(
                f"node{index + 1}",
                "",
                Reach.ANSWERS,
                peer_id=f"peer{index}",
                modules=(ModuleSeen("mixnet", "ready"),),
                links={peer: Link(peer) for peer in peers},
                rates={peer: Rate(3.0 + index % 5, 1000.0) for peer in peers},
                tip=_TIPS.get(index, _TIP),
            )
        )
    return nodes


@router.get("/parts/map")
async def large_map(request: Request) -> Response:
    """A large map, for looking at and for measuring."""
    nodes = _large()
    view, rates = broadcast.view(nodes), picture.rates(nodes)
    return shell_of(request).page(request, "map_sample.html", view=view, rates=rates)


@router.get("/parts/nodes")
async def many_nodes(request: Request) -> Response:
    """The table that stands for cards where nodes are many; one does not answer."""
    nodes = [
        replace(node, as_of_ms=SAMPLE_MS, started_ms=SAMPLE_MS - 720_000, memory=(95 * 2**20,))
        for node in _large(picture.MOST_WORDS + 1)
    ]
    nodes[2] = replace(nodes[2], reach=Reach.AWAY)
    return shell_of(request).page(request, "nodes_sample.html", view=broadcast.view(nodes))


@router.get("/parts")
async def parts(request: Request) -> Response:
    """The page."""
    return shell_of(request).page(request, "parts.html", **_SAMPLE)
