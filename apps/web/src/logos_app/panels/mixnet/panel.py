"""The panel Mix: what it hides and spends, its profile, and a request through three hops."""

import asyncio
import contextlib
from dataclasses import replace
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

import grpc
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from logos.network.v1 import mix_pb2 as pb
from logos_app.clock import now_ms
from logos_app.nodes.reading import milliseconds
from logos_app.panels.contract import At, Panel, Place, here
from logos_app.panels.mixnet import client, drops, journey, meter, sending, words
from logos_app.panels.mixnet.meter import MixSeen
from logos_app.security.gate import is_partial
from logos_app.shown.problems import Problem, problem_of

router: Final = APIRouter()
Here = Annotated[At, Depends(here)]

OTHERS_S: Final = 0.3
MAX_DELAY_MS: Final = 65_535
DELAYS_MS: Final = (200, 1_000, 5_000)
"""That a request may have at each hop, beside that of the profile."""


async def figure(channel: grpc.aio.Channel) -> str:
    """How many hide a message of this node."""
    found = (await client.status(channel)).anonymity
    return f"1 of {meter.crowd(found.waiting):,}"


async def read(at: Place) -> None:
    """Reads a point of the meter."""
    await _asked(at)
    at.keep(meter.with_reading(at.kept(MixSeen())))


async def live(at: Place) -> str:
    """What a page shows, while one is open."""
    await _asked(at)
    return at.partial("mix_part.html", **_view(at))


async def _asked(at: Place) -> None:
    status = await client.status(at.channel)
    at.keep(meter.with_status(at.kept(MixSeen()), status, now_ms()))


async def _asked_shortly(at: Place, node: str) -> None:
    """Asks another node, so that its row need not move; one that is slow stays as it was seen."""
    place = Place(at.shell, node, at.panel, at.shell.doors.to(node))
    with contextlib.suppress(TimeoutError, grpc.aio.AioRpcError):
        async with asyncio.timeout(OTHERS_S):
            await _asked(place)


def _view(at: Place) -> dict[str, Any]:
    """What the parts that change show."""
    seen = at.kept(MixSeen())
    status = seen.status
    return {
        "mix": status,
        "sentence": words.sentence(at.node, status),
        "meter": meter,
        "words": words,
        "line": meter.line(seen.readings),
        "drops": [] if status is None else drops.drops(status.counts.dropped),
        "key_ends_ms": 0 if status is None else milliseconds(status.key_ends_at),
        "others": _everywhere(at),
    }


def _everywhere(at: Place) -> list[tuple[str, MixSeen]]:
    """The mixes of all nodes, as they were seen last."""
    kept = at.shell.kept
    return [
        (node.name, kept.get((node.name, at.panel.slug), MixSeen()))
        for node in at.shell.nodes.seen
        if node.module(at.panel.module) is not None or not node.modules
    ]


def _destinations(at: Place) -> list[str]:
    """The other nodes that a request may go to, the farthest first."""
    return [
        node.name
        for node in reversed(at.shell.nodes.seen)
        if node.name != at.node and node.peer_id and node.answers
    ]


@router.get("/")
async def shown(at: Here) -> Response:
    """The mix of a node."""
    problem: Problem | None = None
    others = [node.name for node in at.shell.nodes.seen if node.answers and node.name != at.node]
    try:
        await asyncio.gather(_asked(at), *(_asked_shortly(at, name) for name in others))
    except grpc.aio.AioRpcError as error:
        problem = problem_of(error, at.node)
    seen = at.kept(MixSeen())
    return at.page(
        "mix.html",
        topics=(f"{at.panel.slug}:{at.node}",),
        problem=problem,
        destinations=_destinations(at),
        delays_ms=DELAYS_MS,
        journey=seen.journey,
        way=journey,
        **_view(at),
    )


@router.post("/ping")
async def ping(at: Here, request: Request) -> Response:
    """Sends a request through the mix; it goes on when the browser goes."""
    form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
    name, delay = form.get("to", [""])[0], form.get("delay", [""])[0]
    peers = {node.name: node.peer_id for node in at.shell.nodes.seen if node.name != at.node}
    under_way = at.kept(MixSeen()).journey
    if not peers.get(name):
        text = f"{at.node} has nobody of that name to ask. Choose another node."
        return at.failed(Problem(text, "NODE_UNKNOWN"))
    if not (delay.isdecimal() and len(delay) < 6 and 1 <= int(delay) <= MAX_DELAY_MS):
        return at.failed(Problem("A delay is 1 ms to 65,535 ms. Choose one.", "INVALID_DELAY"))
    if under_way is not None and not under_way.is_over:
        text = f"A request from {at.node} is under way already. Wait for its answer."
        return at.failed(Problem(text, "REQUEST_UNDER_WAY"))
    sending.begin(at, at.session, name, peers[name], int(delay))
    if is_partial(request.headers):
        return HTMLResponse(_way(at))
    return RedirectResponse(f"{at.root}#journey", 303)


def _way(at: Place) -> str:
    return at.partial("journey_part.html", journey=at.kept(MixSeen()).journey, **sending.WORDS)


@router.post("/profile")
async def profile(at: Here, request: Request, name: str = "", sure: str = "") -> Response:
    """Changes the profile. Without a script that asks, a page does before a weaker one holds."""
    try:
        status = await client.status(at.channel)
        wanted = next((each for each in status.profiles if each.name == name), None)
        is_asked = sure == "yes" or is_partial(request.headers)
        if wanted is not None and words.is_weaker(wanted, status.profile) and not is_asked:
            return at.page("mix_sure.html", wanted=wanted, mix=status, words=words)
        now = await client.set_profile(at.channel, name[:100])
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    await at.record("profile")
    _take_profile(at, now)
    if not is_partial(request.headers):
        return RedirectResponse(at.root, 303)
    return HTMLResponse(at.partial("mix_changed_part.html", now=now, **_view(at)))


def _take_profile(at: Place, now: pb.MixProfile) -> None:
    """Shows the new profile at once; all else follows with the next reading."""
    seen = at.kept(MixSeen())
    if seen.status is not None:
        status = pb.MixGetStatusResponse()
        status.CopyFrom(seen.status)
        status.profile.CopyFrom(now)
        at.keep(replace(seen, status=status))


PANEL: Final = Panel("Mix", "mix", 2, router, figure, live=live, read=read)
