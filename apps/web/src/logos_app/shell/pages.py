"""The shell: what makes whole pages and parts of them, with the frame that all share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from logos_app.config import Config
from logos_app.security.gate import is_partial, visit_of
from logos_app.security.refusals import Refusal
from logos_app.security.sessions import Sessions

STATIC_FOLDER: Final = Path(__file__).with_name("static")
HOME: Final = "/testnet"

router: Final = APIRouter()


@dataclass(frozen=True, slots=True)
class Shell:
    """What pages are made with. In `request.app.state.shell`."""

    config: Config
    sessions: Sessions
    templates: Environment

    def page(
        self, request: Request, template: str, *, status: int = 200, **values: Any
    ) -> Response:
        """Returns a whole page."""
        text = self.templates.get_template(template).render(
            shell=self, visit=visit_of(request), path=request.url.path, **values
        )
        return HTMLResponse(text, status)

    def partial(self, template: str, **values: Any) -> str:
        """Returns a part of a page, for an answer to htmx or for the stream."""
        return self.templates.get_template(template).render(shell=self, **values)

    def refused(self, request: Request, refusal: Refusal) -> Response:
        """Returns what a refused request gets: a page, or a notice where a script asks."""
        template = "refused_part.html" if is_partial(request.headers) else "refused.html"
        return self.page(request, template, status=refusal.status, refusal=refusal)


def shell_of(request: Request) -> Shell:
    """The shell of the app that serves a request."""
    shell = request.app.state.shell
    assert isinstance(shell, Shell)  # noqa: S101 - for the types
    return shell


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


@router.get("/testnet")
async def testnet(request: Request) -> Response:
    """The testnet."""
    return shell_of(request).page(request, "testnet.html")


@router.get("/parts")
async def parts(request: Request) -> Response:
    """Every shared part, in every state."""
    return shell_of(request).page(request, "parts.html")
