"""The shell: what makes whole pages and parts of them, with the frame that all share."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from logos_app.clock import now_ms
from logos_app.config import Config
from logos_app.live.streams import Live
from logos_app.nodes.doors import Doors
from logos_app.nodes.model import NodeSeen
from logos_app.nodes.watched import Nodes
from logos_app.panels.contract import Panel
from logos_app.security.gate import is_partial, visit_of
from logos_app.security.refusals import Refusal
from logos_app.security.sessions import Sessions
from logos_app.shell import tour
from logos_app.shell.navigation import Item, items, items_of_others, viewpoint_of
from logos_app.shown.problems import Problem

if TYPE_CHECKING:
    from logos_app.shell.others import Paths

STATIC_FOLDER: Final = Path(__file__).with_name("static")
HOME: Final = "/testnet"
BASE_TOPICS: Final = ("nav",)

router: Final = APIRouter()
_HTMX: Final = b"\n".join(
    (STATIC_FOLDER / "vendor" / name).read_bytes() for name in ("htmx.min.js", "hx-sse.min.js")
)


@dataclass(slots=True)
class Shell:
    """What pages are made with. In `request.app.state.shell`."""

    config: Config
    sessions: Sessions
    templates: Environment
    nodes: Nodes
    doors: Doors
    panels: tuple[Panel, ...]
    live: Live
    paths: "Paths"
    """Of panels of third parties."""
    work: Callable[[Coroutine[Any, Any, None]], object] = asyncio.run
    """Begins something that outlives a request. Set while the app runs."""
    figures: dict[tuple[str, str], str] = field(default_factory=dict)
    """Of panels, by node and slug; those that were asked for."""
    kept: dict[tuple[str, str], Any] = field(default_factory=dict)
    """What panels keep between requests, by node and slug."""

    def page(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        topics: tuple[str, ...] = (),
        **values: Any,
    ) -> Response:
        """Returns a whole page. `topics`: what its stream brings beside the navigation."""
        path = request.url.path
        viewpoint = viewpoint_of(path, self.nodes.seen)
        theme = request.cookies.get("logos_theme")
        everything = {
            "shell": self,
            "visit": visit_of(request),
            "path": path,
            "viewpoint": viewpoint,
            "topics": (*BASE_TOPICS, f"nav:{viewpoint}", *topics),
            "now_ms": now_ms(),
            "theme": theme if theme in {"light", "dark"} else "",
        }
        text = self.templates.get_template(template).render(everything | values)
        return HTMLResponse(text, status)

    def partial(self, template: str, **values: Any) -> str:
        """Returns a part of a page, for an answer to htmx or for the stream."""
        return self.templates.get_template(template).render(
            shell=self, now_ms=now_ms(), visit=None, **values
        )

    def refused(self, request: Request, refusal: Refusal) -> Response:
        """Returns what a refused request gets: a page, or a notice where a script asks."""
        problem = Problem(refusal.sentence, refusal.reason)
        return self.failed(request, problem, refusal.status, bare=True)

    def failed(
        self, request: Request, problem: Problem, status: int, *, bare: bool = False
    ) -> Response:
        """Returns the page of a failure, or a notice where a script asks. `bare`: no session."""
        if is_partial(request.headers):
            return HTMLResponse(self.partial("failed_part.html", problem=problem), status)
        template = "refused.html" if bare else "failed.html"
        return self.page(request, template, status=status, problem=problem, code=status)

    def navigation(self, viewpoint: str, path: str) -> list[Item]:
        """The entries of the navigation, seen from a node."""
        found = items(self.panels, self.nodes.seen, self.figures, viewpoint, path)
        return [*found[:-1], *items_of_others(self.config.others, self.nodes.seen, path), found[-1]]

    def ready(self, module: str) -> list[str]:
        """The nodes that answer and have a module ready, in their order."""
        return [
            node.name
            for node in self.nodes.seen
            if node.answers and (seen := node.module(module)) is not None and seen.state == "ready"
        ]

    def tour(self) -> list[tour.Step]:
        """The steps of the tour, as far as they are done."""
        return tour.steps(self.nodes.seen, self.nodes.happenings)


def shell_of(request: Request) -> Shell:
    """The shell of the app that serves a request."""
    shell = request.app.state.shell
    assert isinstance(shell, Shell)  # noqa: S101 - for the types
    return shell


def node_of(request: Request, name: str) -> NodeSeen:
    """A node by its name in an address; `UnknownError` if there is none."""
    try:
        return shell_of(request).nodes.node(name)
    except KeyError:
        raise UnknownError(
            f"Testnet {shell_of(request).config.testnet} has no node of that name.", "NODE_UNKNOWN"
        ) from None


class UnknownError(Exception):
    """An address that leads to nothing. Becomes a page with status 404."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.problem = Problem(sentence, reason)


@router.get("/static/htmx.js")
async def htmx() -> Response:
    """htmx and its extension for streams, as one file: a page makes few requests."""
    return Response(_HTMX, media_type="text/javascript")


def static_files() -> StaticFiles:
    """The stylesheet and the scripts."""
    return StaticFiles(directory=STATIC_FOLDER)


@router.get("/")
async def home() -> Response:
    """Leads to the testnet."""
    return RedirectResponse(HOME, 303)


@router.get("/healthz")
async def health() -> Response:
    """Says that the app serves; for supervisors."""
    return JSONResponse({"status": "ok"})


@router.get("/more")
async def more(request: Request) -> Response:
    """All entries of the navigation, for narrow screens."""
    return shell_of(request).page(request, "more.html")
