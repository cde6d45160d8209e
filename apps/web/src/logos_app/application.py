"""Composition root: the only file that knows every room."""

from fastapi import FastAPI

from logos_app.config import Config
from logos_app.security.gate import Gate
from logos_app.security.sessions import Sessions
from logos_app.shell import opening, pages
from logos_app.shell.templates import load_templates


def build(config: Config) -> FastAPI:
    """Makes the app.

    Raises:
        TokenFileError: The file with the operator's token cannot be read.
    """
    sessions = Sessions(config.sessions)
    shell = pages.Shell(config, sessions, load_templates({}))
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.shell = shell
    app.include_router(opening.router)
    app.include_router(pages.router)
    app.mount("/static", pages.static_files(), name="static")
    app.add_middleware(
        Gate, config=config, sessions=sessions, render=shell.refused, takes_files=lambda _: False
    )
    return app
