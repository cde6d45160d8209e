"""`/parts`: every shared part, in every state, with made-up values."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_app.shell.pages import shell_of
from logos_app.shown import charts, formats
from logos_app.shown.problems import Problem
from logos_app.testnet.logs import LogLine

router: Final = APIRouter()
SAMPLE_MS: Final = 1_795_874_551_204
_SAMPLE: Final[dict[str, Any]] = {
    "sample_ms": SAMPLE_MS,
    "sample_problem": Problem(
        "node2 does not answer: its kernel has stopped. `./logos up` starts it.",
        "KERNEL_UNREACHABLE",
    ),
    "sample_amount": formats.amount(128 * 1024**2, 206 * 1024**2),
    "sample_blocks": charts.runs([True] * 14 + [False] * 2 + [True] * 5 + [False] * 79),
    "sample_line": charts.polyline([2, 3, 15, 38, 36, 30, 32, 12], width=100, height=100, top=40),
    "sample_log": [
        LogLine(SAMPLE_MS, "info", "", "started, epoch 3"),
        LogLine(SAMPLE_MS, "warn", "warn", "2 uploads were unfinished and were removed, 4.1 MiB"),
        LogLine(SAMPLE_MS, "error", "bad", "lease refused: epoch 2 is older than 3"),
    ],
}


@router.get("/parts")
async def parts(request: Request) -> Response:
    """The page."""
    return shell_of(request).page(request, "parts.html", **_SAMPLE)
