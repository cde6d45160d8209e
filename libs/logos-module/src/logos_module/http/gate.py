"""What every request passes first: size of its head, origin, permission, room."""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from logos_module.http.access import Access
from logos_module.http.refusals import Refusal

MAX_HEAD_BYTES: Final = 64 * 1024
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """ASGI middleware."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        *,
        refuse: Callable[[Refusal], Response],
        without_token: Collection[str] = (),
        max_bodies: int = 16,
        max_requests: int | None = None,
    ) -> None:
        """
        Args:
            app: What is behind it.
            access: Who may call.
            refuse: Makes the answer to a request that does not pass.
            without_token: Paths that any caller may ask for.
            max_bodies: Requests with bodies that are served at a time; others wait.
            max_requests: Requests that are served at a time; others are refused. None: any number.
        """
        self._app = app
        self._access = access
        self._refuse = refuse
        self._without_token = frozenset(without_token)
        self._room = asyncio.Semaphore(max_bodies)
        self._max_requests = max_requests
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # neither WebSockets nor a lifespan are served
        refusal = self._refusal(scope)
        if refusal is not None:
            await self._answer(refusal)(scope, receive, send)
            return
        self._requests += 1
        try:
            if scope["method"] in _BODILESS:
                await self._app(scope, receive, send)
                return
            async with self._room:
                await self._app(scope, receive, send)
        finally:
            self._requests -= 1

    def _answer(self, refusal: Refusal) -> Response:
        answer = self._refuse(refusal)
        if refusal.status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    def _refusal(self, scope: Scope) -> Refusal | None:
        head = len(scope.get("raw_path", b"")) + len(scope.get("query_string", b""))
        if head + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD_BYTES:
            text = f"a request has at most {MAX_HEAD_BYTES} bytes before its body"
            return Refusal(431, "HEAD_TOO_LARGE", text)
        headers = Headers(scope=scope)
        if "origin" in headers:
            return Refusal(403, "ORIGIN_REFUSED", "Origin not allowed")
        is_open = scope["path"] in self._without_token
        authorization, host = headers.get("authorization", ""), headers.get("host", "")
        if not is_open and not self._access.admits(authorization, host):
            text = "this interface needs the token of the module, as a bearer"
            return Refusal(401, "UNAUTHENTICATED", text)
        if self._max_requests is not None and self._requests >= self._max_requests:
            return Refusal(503, "TOO_MANY_REQUESTS", "too many requests are being served")
        return None
