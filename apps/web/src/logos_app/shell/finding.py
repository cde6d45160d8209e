"""`/go`: any id or name becomes its page; what fits several is listed, never guessed."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import grpc
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from logos_app.nodes.model import NodeSeen
from logos_app.panels.contract import Found, Panel, Place
from logos_app.shell.navigation import viewpoint_of
from logos_app.shell.pages import Shell, UnknownError, shell_of

router: Final = APIRouter()
FIND_S: Final = 2.0
_CID: Final = re.compile(r"z[1-9A-HJ-NP-Za-km-z]{20,127}")
_AT: Final = re.compile(r"/at/[^/]+/(.*)")


def find(
    query: str, nodes: Sequence[NodeSeen], panels: Sequence[Panel], viewpoint: str
) -> list[Found]:
    """The pages that a text may mean. Ids are known by their form, names by their whole."""
    typed = query.strip().removeprefix("0x")
    if not typed:
        return []
    found = [
        Found(f"Node {node.name}", f"/nodes/{node.name}")
        for node in nodes
        if typed.lower() in {node.name, node.peer_id.lower()} and typed
    ]
    found += [
        Found(f"Module {module.name} on {node.name}", f"/nodes/{node.name}/modules/{module.name}")
        for node in nodes
        for module in node.modules
        if typed.lower() in {module.name, f"{node.name}/{module.name}"}
    ]
    found += [
        Found(f"Panel {panel.title}", f"/at/{viewpoint}/{panel.slug}/")
        for panel in panels
        if typed.lower() in {panel.slug, panel.title.lower()}
    ]
    if _CID.fullmatch(typed) and any(panel.slug == "files" for panel in panels):
        found.append(Found(f"File {typed}", f"/files/{typed}"))
    return found


@router.get("/go")
async def go(request: Request, q: str = "") -> Response:
    """Leads to the one page, or lists the candidates."""
    shell = shell_of(request)
    viewpoint = viewpoint_of(request.url.path, shell.nodes.seen)
    found = find(q[:200], shell.nodes.seen, shell.panels, viewpoint)
    found += await _found_by_panels(shell, viewpoint, q[:200].strip())
    if len(found) == 1:
        return RedirectResponse(found[0].href, 303)
    return shell.page(request, "found.html", query=q[:200], found=found)


async def _found_by_panels(shell: Shell, viewpoint: str, query: str) -> list[Found]:
    """What panels find for a text, each at the viewpoint or at another node that can tell."""
    found: list[Found] = []
    for panel in shell.panels:
        ready = shell.ready(panel.module)
        if panel.find is None or not ready or not query:
            continue
        node = viewpoint if viewpoint in ready else ready[0]
        with suppress(TimeoutError, grpc.aio.AioRpcError):
            async with asyncio.timeout(FIND_S):
                found += await panel.find(Place(shell, node, panel, shell.doors.to(node)), query)
    return found


@router.get("/see")
async def see(request: Request, node: str = "", path: str = "/") -> Response:
    """Leads to the same panel at another node; from other pages, to the node."""
    if node not in shell_of(request).doors:
        raise UnknownError("There is no node of that name.", "NODE_UNKNOWN")
    panel = _AT.fullmatch(path)
    slug = "" if panel is None else panel[1].partition("/")[0]
    known = slug in {each.slug for each in shell_of(request).panels}
    return RedirectResponse(f"/at/{node}/{slug}/" if known else f"/nodes/{node}", 303)
