"""`/open`: a one-time link becomes a session."""

from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from logos_app.clock import local, now_s
from logos_app.security.cookies import cookie_header
from logos_app.security.gate import visit_of
from logos_app.security.refusals import link_refused
from logos_app.shell.pages import HOME, shell_of
from logos_client.link_codes import CODE_LENGTH, Outcome, Spending, spend_code

router: Final = APIRouter()


@router.get("/open")
async def ask(request: Request) -> Response:
    """The page that a link opens. Its script posts the code, which no server sees before."""
    return shell_of(request).page(request, "open.html")


@router.post("/open")
async def open_session(request: Request) -> Response:
    """Spends a code, and begins a session."""
    shell = shell_of(request)
    form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=4)
    code = form.get("code", [""])[0].strip().rpartition("#")[2]
    spending = Spending(Outcome.UNKNOWN)
    if len(code) == CODE_LENGTH:
        spending = spend_code(shell.config.links, code, now_s())
    if spending.outcome is not Outcome.ACCEPTED:
        return shell.refused(request, link_refused(spending, local(spending.at_s)))
    secret, _ = shell.sessions.open(now_s())
    answer = RedirectResponse(HOME, 303)
    answer.headers["Set-Cookie"] = cookie_header(shell.config.origin, secret)
    return answer


@router.post("/close")
async def close_session(request: Request) -> Response:
    """Ends the session of this browser."""
    shell, visit = shell_of(request), visit_of(request)
    if visit is not None:
        shell.sessions.end(visit.session)
        shell.live.end_session(visit.session.name)
    return RedirectResponse("/open", 303)
