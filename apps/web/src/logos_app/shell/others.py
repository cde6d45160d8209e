"""Panels of third parties, by address: fetched by the app, and shown in a sandbox.

The page is of another origin to the browser, whatever it does: it gets no cookie, and reads
nothing of ours. Its path is its permission (APP-9), and ends with the session.
"""

import asyncio
import http.client
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_app.clock import now_s
from logos_app.config import Other
from logos_app.security.gate import MAX_BODY_BYTES, visit_of
from logos_app.shell.pages import UnknownError, shell_of
from logos_app.shown.problems import Problem

router: Final = APIRouter()
POLICY: Final = (
    "sandbox allow-scripts allow-forms; default-src 'none'; script-src 'self' 'unsafe-inline';"
    " style-src 'self' 'unsafe-inline'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'self'"
)
MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024
TIMEOUT_S: Final = 5.0
MOST_PATHS: Final = 500
_SENT_ON: Final = ("accept", "content-type")


class Paths:
    """The random paths that were given out; the oldest makes room beyond 500."""

    def __init__(self) -> None:
        self._by_token: OrderedDict[str, tuple[str, Other]] = OrderedDict()

    def give(self, session: str, other: Other) -> str:
        """A path for a session, named by its digest."""
        token = secrets.token_urlsafe(24)
        self._by_token[token] = (session, other)
        if len(self._by_token) > MOST_PATHS:
            self._by_token.popitem(last=False)
        return token

    def find(self, token: str) -> tuple[str, Other] | None:
        """The session that it was given to, and what it leads to."""
        return self._by_token.get(token)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a third party's panel has said."""

    status: int
    content_type: str
    body: bytes


@router.get("/by/{slug}/")
async def shown(request: Request, slug: str) -> Response:
    """The page of a third party's panel."""
    shell, visit = shell_of(request), visit_of(request)
    other = next((each for each in shell.config.others if each.slug == slug), None)
    if other is None or visit is None:
        raise UnknownError("No module of others has a panel of that name.", "PANEL_UNKNOWN")
    token = shell.paths.give(visit.session.digest, other)
    return shell.page(request, "other.html", other=other, token=token)


@router.api_route("/panel/{token}/{rest:path}", methods=["GET", "POST"])
async def passed_on(request: Request, token: str, rest: str) -> Response:
    """Fetches a page of a third party's panel."""
    shell = shell_of(request)
    found = shell.paths.find(token)
    if found is None or not shell.sessions.lives(found[0], now_s()):
        raise UnknownError("This panel's session has ended. Open the panel again.", "PANEL_ENDED")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return Response("The request is over 64 KiB.", 413)
    query = f"?{request.url.query}" if request.url.query else ""
    headers = {name: request.headers[name] for name in _SENT_ON if name in request.headers}
    try:
        answer = await asyncio.to_thread(
            _ask, found[1].address, request.method, f"/{rest}{query}", body, headers
        )
    except (OSError, http.client.HTTPException) as error:
        sentence = f"The panel of {found[1].title} does not answer at {found[1].address}: {error}."
        problem = Problem(f"{sentence} Start its module.", "PANEL_UNREACHABLE")
        return Response(f"{problem.sentence} {problem.reason}", 502, _headers("text/plain"))
    return Response(answer.body, answer.status, _headers(answer.content_type))


def _headers(content_type: str) -> dict[str, str]:
    return {
        "Content-Type": content_type,
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Resource-Policy": "cross-origin",  # its own parts ask from an opaque origin
    }


def _ask(address: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    """One request, without cookies, without redirects."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body or None, headers)
        response = connection.getresponse()
        content = response.read(MAX_ANSWER_BYTES + 1)
    finally:
        connection.close()
    if len(content) > MAX_ANSWER_BYTES:
        raise OSError("its answer is over 2 MiB")
    if 300 <= response.status < 400:
        raise OSError(f"it answers with {response.status}, and leads elsewhere")
    return Answer(response.status, response.headers.get("content-type", "text/plain"), content)
