"""Composition root: the only file that knows every room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from logos_app.config import Config
from logos_app.live import route
from logos_app.live.streams import Live
from logos_app.nodes.doors import Doors
from logos_app.nodes.following import follow_all
from logos_app.nodes.model import NodeSeen
from logos_app.nodes.watched import Nodes
from logos_app.panels.discovery import find_panels
from logos_app.panels.mounting import mount, takes_files
from logos_app.running import background
from logos_app.security.gate import Gate
from logos_app.security.sessions import Sessions
from logos_app.shell import finding, opening, others, pages, parts
from logos_app.shell.pages import Shell, UnknownError
from logos_app.shell.templates import load_templates
from logos_app.shown.problems import Problem
from logos_app.testnet import routes
from logos_app.testnet.broadcast import broadcast


def build(config: Config) -> FastAPI:
    """Makes the app. It follows the nodes between its start and its stop."""
    nodes = Nodes(config.testnet, [NodeSeen(one.name, one.address) for one in config.fronts])
    panels = find_panels(config.panels)
    shell = Shell(
        config=config,
        sessions=Sessions(config.sessions),
        templates=load_templates({panel.name: panel.folder / "templates" for panel in panels}),
        nodes=nodes,
        doors=Doors(config),
        panels=panels,
        live=Live(lambda: str(nodes.told)),
        paths=others.Paths(),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with background(follow_all(nodes, shell.doors, lambda: broadcast(shell))) as work:
            shell.work = work
            yield
        await shell.doors.close()

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.shell = shell
    for room in (opening, pages, parts, finding, others, routes, route):
        app.include_router(room.router)
    for panel in panels:
        mount(app, panel)
    app.mount("/static", pages.static_files(), name="static")
    app.add_exception_handler(UnknownError, _unknown)
    app.add_exception_handler(404, _unknown)
    app.add_middleware(
        Gate,
        config=config,
        sessions=shell.sessions,
        render=shell.refused,
        takes_files=lambda path: takes_files(panels, path),
    )
    return app


async def _unknown(request: Request, error: Exception) -> Response:
    """The page for addresses that lead to nothing."""
    problem = Problem("Nothing is at this address. Look for it from the testnet.", "PAGE_UNKNOWN")
    if isinstance(error, UnknownError):
        problem = error.problem
    bare = request.url.path.startswith(("/static/", "/panel/"))
    return pages.shell_of(request).failed(request, problem, 404, bare=bare)
