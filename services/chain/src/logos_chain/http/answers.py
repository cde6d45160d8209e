"""What is answered, and how an error is (HTP-4)."""

import asyncio
import functools
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from logos_base.errors import ErrorKind, LogosError
from logos_module.http.refusals import Refusal, RequestRefusedError

log = logging.getLogger(__name__)

JSON: Final = "application/json"
TIMEOUT_S: Final = 30.0
"""Of an answer that is no stream."""

_STATUS: Final = {
    ErrorKind.INVALID_ARGUMENT: 400,
    ErrorKind.OUT_OF_RANGE: 400,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.PERMISSION_DENIED: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.ALREADY_EXISTS: 409,
    ErrorKind.FAILED_PRECONDITION: 409,
    ErrorKind.ABORTED: 409,
    ErrorKind.RESOURCE_EXHAUSTED: 429,
    ErrorKind.UNIMPLEMENTED: 501,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.DEADLINE_EXCEEDED: 504,
    ErrorKind.DATA_LOSS: 500,
    ErrorKind.INTERNAL: 500,
}

Handler = Callable[[Request], Awaitable[Response]]


def encoded(content: Any) -> bytes:
    """Returns JSON; texts of other nodes may hold anything."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def as_json(content: Any, status: int = 200) -> Response:
    """Answers with JSON."""
    return Response(encoded(content), status, media_type=JSON)


def problem(status: int, reason: str, message: str) -> Response:
    """Answers with the reference's envelope of an error, and the reason beside it."""
    return as_json({"code": status, "message": message, "reason": reason}, status)


def refused(refusal: Refusal) -> Response:
    """Makes the answer to a request that the gate does not let pass."""
    return problem(refusal.status, refusal.reason, refusal.text)


def of_error(error: LogosError) -> Response:
    """Makes the answer to a request that an operation has refused."""
    text = f"{error.field}: {error}" if error.field else str(error)
    answer = problem(_STATUS[error.kind], error.reason, text)
    if error.retry_after_ms is not None:
        answer.headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    return answer


def answering(handler: Handler) -> Handler:
    """Has a handler answer in time, and its errors answered."""

    @functools.wraps(handler)
    async def answer(request: Request) -> Response:
        if request.method == "HEAD":  # of a stream, it would have no end
            return await on_no_method(request, HTTPException(405))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await handler(request)
        except LogosError as error:
            return of_error(error)
        except RequestRefusedError as error:
            return refused(error.refusal)
        except TimeoutError:
            return problem(504, "TIMED_OUT", f"there was no answer within {TIMEOUT_S:.0f} s")

    return answer


async def on_failure(_: Request, error: Exception) -> Response:
    """The answer where this node is at fault; the log has the error."""
    log.error("a request over HTTP failed", exc_info=error)
    return problem(500, "INTERNAL", "this node failed; its log says more")


async def on_no_path(request: Request, _: Exception) -> Response:
    """The answer to a path that there is not."""
    return problem(404, "PATH_UNKNOWN", f"there is no path {request.url.path[:200]}")


async def on_no_method(request: Request, _: Exception) -> Response:
    """The answer to a method that a path has not."""
    return problem(405, "METHOD_UNKNOWN", f"this path has no {request.method[:20]}")
