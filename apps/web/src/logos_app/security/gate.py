"""What every request passes first: host, session, rate, size, origin. And answers' headers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from logos_app.clock import now_s
from logos_app.config import Config
from logos_app.security import forgery, refusals
from logos_app.security.cookies import cookie_header, secret_in
from logos_app.security.headers import missing_headers
from logos_app.security.hosts import Accepted, Elsewhere, Refused, judge_host
from logos_app.security.limits import OPEN_RATE, SESSION_RATE, Limiter
from logos_app.security.refusals import Refusal
from logos_app.security.sessions import Session, Sessions

MAX_BODY_BYTES: Final = 64 * 1024
HEALTH: Final = "/healthz"
OPEN: Final = "/open"
STATIC: Final = "/static/"
CAPABILITY: Final = "/panel/"
"""Pages of third parties: their path is their permission, since they get no cookie."""
_RENEWED_EVERY_S: Final = 24 * 3600

Render = Callable[[Request, Refusal], Response]


@dataclass(frozen=True, slots=True)
class Visit:
    """What the gate tells pages about who asks. In `request.state.visit`."""

    session: Session
    csrf: str


class Gate:
    """ASGI middleware."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        config: Config,
        sessions: Sessions,
        render: Render,
        takes_files: Callable[[str], bool],
    ) -> None:
        """`takes_files`: whether a path takes a body of any size, which is streamed."""
        self._app = app
        self._config = config
        self._sessions = sessions
        self._render = render
        self._takes_files = takes_files
        self._by_session = Limiter(SESSION_RATE)
        self._openings = Limiter(OPEN_RATE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                given = {name.lower() for name in headers}
                for name, value in missing_headers(given).items():
                    headers[name] = value
            await send(message)

        request = Request(scope, receive)
        answer = self._judge_place(request)
        if answer is None:
            await self._admit(request, receive, send_with_headers)
        else:
            await answer(scope, receive, send_with_headers)

    def _judge_place(self, request: Request) -> Response | None:
        """Refuses other hosts; leads from other names of this machine to ours."""
        hosts = request.headers.getlist("host")
        query = f"?{request.url.query}" if request.url.query else ""
        verdict = judge_host(
            self._config.origin,
            hosts[0] if len(hosts) == 1 else None,
            f"{request.scope['raw_path'].decode('ascii', 'replace')}{query}",
            is_local=self._config.is_local,
        )
        match verdict:
            case Accepted():
                return None
            case Elsewhere(url=url):
                return None if request.url.path == HEALTH else RedirectResponse(url, 308)
            case Refused(seen=seen):
                refusal = refusals.wrong_host(seen, str(self._config.origin))
                return PlainTextResponse(f"{refusal.sentence} {refusal.reason}\n", refusal.status)

    async def _admit(self, request: Request, receive: Receive, send: Send) -> None:
        path, scope = request.url.path, request.scope
        if path == HEALTH or path.startswith((STATIC, CAPABILITY)):
            await self._app(scope, receive, send)
            return
        secret = secret_in(self._config.origin, request.headers.get("cookie", ""))
        session = self._sessions.find(secret, now_s()) if secret else None
        body: bytes | None = None
        refusal = self._refuse_rate(path, request.method, session)
        is_unsafe = request.method not in forgery.SAFE_METHODS
        if refusal is None and session is None and path != OPEN:
            refusal = refusals.no_session()
        if refusal is None and not self._takes_files(path):
            body = await _body(request)
            refusal = refusals.too_large(MAX_BODY_BYTES) if body is None else None
        token = forgery.token_of(secret) if session is not None else ""
        if refusal is None and is_unsafe:
            refusal = self._refuse_forgery(request.headers, token, body or b"", path)
        if refusal is not None:
            await self._render(request, refusal)(scope, receive, send)
            return
        if session is not None:
            scope.setdefault("state", {})["visit"] = Visit(session, token)
            send = self._renewing(session, secret, send)
        await self._app(scope, receive if body is None else _replay(body, receive), send)

    def _refuse_rate(self, path: str, method: str, session: Session | None) -> Refusal | None:
        clock = float(now_s())
        if path == OPEN and method == "POST" and not self._openings.admits("", clock):
            return refusals.too_many("attempts to open a session: five a minute")
        if session is not None and not self._by_session.admits(session.digest, clock):
            return refusals.too_many("requests of one session: a hundred a second")
        return None

    def _refuse_forgery(
        self, headers: Mapping[str, str], token: str, body: bytes, path: str
    ) -> Refusal | None:
        sent = headers.get(forgery.HEADER) or _field(headers.get("content-type", ""), body)
        what = forgery.forgery_in(
            origin=str(self._config.origin),
            sent_origin=headers.get("origin"),
            fetch_site=headers.get("sec-fetch-site"),
            # A session is opened without one: the code is the permission.
            token="" if path == OPEN else token,
            sent_token="" if path == OPEN else sent,
        )
        return None if what is None else refusals.forged(what)

    def _renewing(self, session: Session, secret: str, send: Send) -> Send:
        """Sends the cookie again once a day, so that it lasts as long as the session."""
        if session.seen_at_s // _RENEWED_EVERY_S == session.opened_at_s // _RENEWED_EVERY_S:
            return send

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                header = cookie_header(self._config.origin, secret)
                MutableHeaders(scope=message).append("Set-Cookie", header)
            await send(message)

        return send_with_cookie


async def _body(request: Request) -> bytes | None:
    """Reads a small body; None if it is over the limit."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        return None
    if request.method in forgery.SAFE_METHODS and length == "0":
        return b""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read to the page, and then what else comes."""
    is_given = False

    async def replayed() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _field(content_type: str, body: bytes) -> str:
    if content_type.partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return ""
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=100)
    return fields.get(forgery.FIELD, [""])[0]


def visit_of(request: Request) -> Visit | None:
    """Who asks; None on pages that need no session."""
    visit = getattr(request.state, "visit", None)
    return visit if isinstance(visit, Visit) else None


def is_partial(headers: Headers) -> bool:
    """Whether a script of ours asks for a part of a page."""
    return headers.get("hx-request") == "true"
