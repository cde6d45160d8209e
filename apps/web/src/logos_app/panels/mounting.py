"""Puts a panel's routes below `/at/NODE/SLUG/`."""

from collections.abc import Awaitable, Callable, Sequence

from fastapi import Depends, FastAPI
from starlette.requests import Request

from logos_app.panels.contract import At, Panel
from logos_app.shell.pages import UnknownError, node_of, shell_of


def mount(app: FastAPI, panel: Panel) -> None:
    """Adds the routes of a panel; each is told where it stands, in `request.state.at`."""
    prefix = f"/at/{{node}}/{panel.slug}"
    app.include_router(panel.router, prefix=prefix, dependencies=[Depends(_placing(panel))])
    if panel.anywhere is not None:
        app.include_router(panel.anywhere)


def _placing(panel: Panel) -> Callable[[Request, str], Awaitable[None]]:
    async def place(request: Request, node: str) -> None:
        seen, shell = node_of(request, node), shell_of(request)
        if seen.answers and panel.module and seen.module(panel.module) is None:
            raise UnknownError(
                f"{node} has no {panel.title}: its profile leaves {panel.module} out. Look from"
                " another node.",
                "SERVICE_UNKNOWN",
            )
        channel = shell.doors.to(node)
        request.state.at = At(shell, node, panel, channel, request)

    return place


def takes_files(panels: Sequence[Panel], path: str) -> bool:
    """Whether a path is one of a panel's that takes a body of any size."""
    words = path.split("/")
    if len(words) != 5 or words[1] != "at":
        return False
    return any(panel.slug == words[3] and words[4] in panel.takes_files for panel in panels)
