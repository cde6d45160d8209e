"""Lists that a node tells page by page, up to a limit."""

from collections.abc import Callable
from typing import Any

import grpc

from logos_cli.session import Session


def rows_of(
    session: Session,
    method: Callable[[grpc.aio.Channel], Callable[..., Any]],
    request: Any,
    record: Callable[[Any], list[dict[str, Any]]],
    *,
    limit: int,
    page: int,
) -> list[dict[str, Any]]:
    """Returns the first records of a list.

    Args:
        session: Of the node; each page is asked for within its `--timeout`.
        method: Of a stub on the channel: `lambda channel: WalletStub(channel).ListNotes`.
        request: Of the first page; has `page_size` and `page_token`.
        record: Makes records of a page.
        limit: At most so many.
        page: The longest page that the node gives.
    """

    async def work(channel: grpc.aio.Channel) -> list[dict[str, Any]]:
        ask, rows = method(channel), list[dict[str, Any]]()
        while True:
            request.page_size = min(page, limit - len(rows))
            answer = await ask(request, timeout=session.timeout_s)
            rows += record(answer)
            request.page_token = answer.next_page_token
            if not request.page_token or len(rows) >= limit:
                return rows[:limit]

    return session.call(work)
