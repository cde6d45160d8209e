"""The application: all routes behind the gate."""

from typing import Final, Protocol

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response

from logos_base.errors import LogosError
from logos_delivery.http.admin import AdminRoutes
from logos_delivery.http.answers import Refused, not_admitted, on_refused, text
from logos_delivery.http.filter import FilterRoutes
from logos_delivery.http.light_push import LightPushRoutes
from logos_delivery.http.messaging import MessagingRoutes
from logos_delivery.http.metrics import Metrics
from logos_delivery.http.node import HEALTH, NodeRoutes
from logos_delivery.http.operations import Operations
from logos_delivery.http.relay import RelayRoutes
from logos_delivery.http.store import StoreRoutes
from logos_module.http.access import Access, LocalAccess
from logos_module.http.gate import Gate

NO_RELAY: Final = "/relay endpoints are not available. Please check your configuration: --relay"
MAX_BODIES: Final = 16
"""Requests with bodies that are served at a time."""
NO_ROUTE: Final = "Bad request initiated. Invalid path or method used."


class Routes(Protocol):
    """Some of the routes."""

    def add_to(self, router: APIRouter) -> None:
        """Adds them."""
        ...


def build(operations: Operations, access: Access) -> FastAPI:
    """Makes the application."""
    one = operations
    metrics = Metrics(one.neighbours, one.history, one.serving, one.relay)
    if one.relay is not None:
        one.relay.sinks.append(metrics.observe)
    router = APIRouter(redirect_slashes=False)
    if one.polling is not None:
        RelayRoutes(one.polling).add_to(router)
    others: tuple[Routes, ...] = (
        NodeRoutes(one.health, one.information),
        FilterRoutes(one.filter),
        LightPushRoutes(one.pushing),
        StoreRoutes(one.history, one.neighbours),
        AdminRoutes(one.neighbours, one.serving),
        MessagingRoutes(one.sending, one.subscriptions, one.events),
        metrics,
    )
    for routes in others:
        routes.add_to(router)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.metrics = metrics
    app.state.relays = one.polling is not None
    app.include_router(router)
    app.add_exception_handler(Refused, on_refused)
    app.add_exception_handler(LogosError, _failed)
    for status in (404, 405):
        app.add_exception_handler(status, _no_route)
    _guard(app, access)
    return app


def build_figures(app: FastAPI) -> FastAPI:
    """Makes an application that has the figures of another one, for any program of this machine."""
    router = APIRouter(redirect_slashes=False)
    app.state.metrics.add_to(router)
    figures = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    figures.state.relays = True
    figures.include_router(router)
    for status in (404, 405):
        figures.add_exception_handler(status, _no_route)
    _guard(figures, LocalAccess())
    return figures


def _guard(app: FastAPI, access: Access) -> None:
    """Puts the gate before an application (DHT-2, DHT-3, DHT-4, DHT-5)."""
    app.add_middleware(
        Gate,
        access=access,
        refuse=not_admitted,
        without_token=(HEALTH,),
        max_bodies=MAX_BODIES,
    )


async def _failed(_: Request, error: Exception) -> Response:
    """The answer where an operation fails for a reason that its route does not know."""
    return text(str(error), 500)


async def _no_route(request: Request, _: Exception) -> Response:
    if request.url.path.startswith("/relay/") and not request.app.state.relays:
        return text(NO_RELAY, 404)
    return text(NO_ROUTE, 400)
