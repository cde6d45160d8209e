"""What every request passes first: size of its head, origin, permission, room (DHT-2 to DHT-4)."""

import asyncio
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from logos_delivery.http.access import Access
from logos_delivery.http.answers import text
from logos_delivery.http.node import HEALTH

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_BODIES: Final = 16
"""Requests with bodies that are served at a time."""
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._room = asyncio.Semaphore(MAX_BODIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # neither WebSockets nor a lifespan are served
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif scope["method"] in _BODILESS:
            await self._app(scope, receive, send)
        else:
            async with self._room:
                await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        head = len(scope.get("raw_path", b"")) + len(scope.get("query_string", b""))
        if head + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD_BYTES:
            return text(f"a request has at most {MAX_HEAD_BYTES} bytes before its body", 431)
        headers = Headers(scope=scope)
        if "origin" in headers:
            return text("Origin not allowed", 403)
        if scope["path"] == HEALTH:
            return None
        if not self._access.admits(headers.get("authorization", ""), headers.get("host", "")):
            refused = text("this interface needs the token of the module, as a bearer", 401)
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        return None
