"""What is answered, and how a handler refuses."""

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from logos_module.http.refusals import Refusal

TEXT: Final = "text/plain"
JSON: Final = "application/json"


class Refused(Exception):  # noqa: N818 -- it is an answer
    """Ends a handler with an answer in plain text."""

    def __init__(self, text: str = "", status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


def text(content: str, status: int = 200) -> Response:
    """Answers with plain text."""
    return Response(content.encode("utf-8", "replace"), status, media_type=TEXT)


def done() -> Response:
    """Answers that something was done."""
    return text("OK")


def as_json(content: Any, status: int = 200) -> Response:
    """Answers with JSON; texts of other nodes may hold anything."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return Response(body, status, media_type=JSON)


def not_admitted(refusal: Refusal) -> Response:
    """Makes the answer to a request that the gate does not let pass."""
    return text(refusal.text, refusal.status)


async def on_refused(_: Request, error: Exception) -> Response:
    """Makes the answer of a handler that has refused."""
    if not isinstance(error, Refused):
        raise error
    return text(error.text, error.status)


async def allowed(_: Request) -> Response:
    """Answers what browsers ask before a request: `OPTIONS`."""
    return done()
