"""The application: all routes behind the gate."""

from typing import Final, Protocol

from fastapi import APIRouter, FastAPI

from logos_chain.http.answers import on_failure, on_no_method, on_no_path, refused
from logos_chain.http.blocks import BlockRoutes
from logos_chain.http.channels import ChannelRoutes
from logos_chain.http.events import EventRoutes
from logos_chain.http.mempool import MempoolRoutes
from logos_chain.http.node import NodeRoutes
from logos_chain.http.operations import Operations
from logos_chain.http.reading import Bodies
from logos_chain.http.streaming import Places
from logos_chain.http.wallet import WalletRoutes
from logos_module.http.access import Access
from logos_module.http.gate import Gate

MAX_BODIES: Final = 4
"""Requests with bodies that are served at a time: each may have 10 MiB."""
MAX_REQUESTS: Final = 64
"""Requests that are served at a time, streams among them."""


class Routes(Protocol):
    """Some of the routes."""

    def add_to(self, router: APIRouter) -> None:
        """Adds them."""
        ...


def build(operations: Operations, access: Access) -> FastAPI:
    """Makes the application."""
    places, bodies = Places(), Bodies()
    router = APIRouter(redirect_slashes=False)
    others: tuple[Routes, ...] = (
        BlockRoutes(operations, places),
        EventRoutes(operations, places),
        MempoolRoutes(operations, bodies),
        ChannelRoutes(operations, bodies),
        WalletRoutes(operations, bodies),
        NodeRoutes(operations),
    )
    for routes in others:
        routes.add_to(router)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(router)
    app.add_exception_handler(404, on_no_path)
    app.add_exception_handler(405, on_no_method)
    app.add_exception_handler(Exception, on_failure)
    app.add_middleware(
        Gate,
        access=access,
        refuse=refused,
        max_bodies=MAX_BODIES,
        max_requests=MAX_REQUESTS,
    )
    return app
