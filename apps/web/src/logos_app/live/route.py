"""`/live`: the stream of a tab."""

import re
from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from logos_app.live.streams import Message, Tab
from logos_app.nodes.cursors import Cursor
from logos_app.running import background
from logos_app.security.gate import visit_of
from logos_app.shell.pages import Shell, shell_of
from logos_app.testnet.broadcast import EVENTS, ROWS, rows_sent
from logos_app.testnet.log_following import LOG, follow_log

router: Final = APIRouter()
_TOPIC: Final = re.compile(r"[a-z0-9:._-]{1,160}")
MOST_TOPICS: Final = 12


@router.get("/live")
async def live(request: Request, topics: str = "", after: str = "") -> Response:
    """Streams what the topics bring, until the tab goes.

    `after` is the cursor of the page, `Last-Event-ID` that of the last message that the tab has
    had: what happened since is sent first; `resync` if that is not known any longer.
    """
    shell, visit = shell_of(request), visit_of(request)
    assert visit is not None  # noqa: S101 - the gate admits sessions only
    wanted = [word for word in topics.split(",") if _TOPIC.fullmatch(word)][:MOST_TOPICS]
    tab = shell.live.open(visit.session.name, wanted)
    shell.nodes.is_watched = True
    shell.nodes.changed.set()
    _catch_up(shell, tab, request.headers.get("last-event-id", after))
    return StreamingResponse(
        _sent(shell, tab), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _sent(shell: Shell, tab: Tab) -> AsyncIterator[bytes]:
    """The messages of a tab; meanwhile the log that it looks at is followed."""
    log = next((topic for topic in sorted(tab.topics) if topic.startswith(LOG)), "")
    _, node, module = (*log.split(":"), "", "")[:3]
    followed = shell.nodes.node(node).module(module) if node in shell.nodes.names else None
    if followed is None:
        async for message in shell.live.messages(tab):
            yield message
        return
    async with background(follow_log(shell, tab, node, module)):
        async for message in shell.live.messages(tab):
            yield message


def _catch_up(shell: Shell, tab: Tab, last: str) -> None:
    """Begins with the cursor of now, after what was missed."""
    now = str(shell.nodes.told)
    if last:
        cursor = Cursor.parse(last)
        missed = None if cursor is None else shell.nodes.since(cursor)
        if missed is None or len(missed) > ROWS:
            tab.put(Message("{}", "resync", now))
        elif missed and EVENTS in tab.topics:
            tab.put(Message(rows_sent(shell, missed)(tab.session), "", now))
    tab.put(Message("{}", "hello", now))
