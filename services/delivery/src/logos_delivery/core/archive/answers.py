"""What a store node answers, and what its asker believes.

Spec: docs/protocol/delivery-store.md, DST-9, DST-10.
"""

from enum import IntEnum
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.archive.errors import (
    StoreCursorUnknownError,
    StorePeerBusyError,
    StorePeerFailedError,
    StoreQueryInvalidError,
    StoreRequestMalformedError,
)
from logos_delivery.core.archive.types import MAX_PAGE, Entry, Page, Query
from logos_delivery.core.archive.wire import Request, Response
from logos_delivery.core.message import message_hash


class Status(IntEnum):
    """The codes of the reference."""

    SUCCESS = 200
    BAD_RESPONSE = 300
    BAD_REQUEST = 400
    TOO_MANY_REQUESTS = 429
    SERVICE_UNAVAILABLE = 503
    PEER_DIAL_FAILURE = 504


UNREAD: Final = "not_parsed_requestId"
"""The id of an answer to bytes that are no query."""
UNCOUNTED: Final = "N/A"
"""The id of an answer to a query that was not read: too many come."""


def answer(request: Request, page: Page) -> Response:
    """Returns the answer to a query that has been done."""
    return Response(request.request_id, Status.SUCCESS, "OK", page.entries, page.cursor)


def refuse(error: LogosError, request: Request | None = None) -> Response:
    """Returns the answer to a query that cannot be done (DST-9).

    Args:
        error: Why. What failed in this node is not told.
        request: The query; None: it could not be read.
    """
    match error:
        case StoreQueryInvalidError() | StoreRequestMalformedError():
            code, text = Status.BAD_REQUEST, f"BAD_REQUEST: {error}"
        case StoreCursorUnknownError():
            code, text = Status.BAD_RESPONSE, f"BAD_RESPONSE: archive error: {error}"
        case _:
            code, text = Status.SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE"
    return Response(UNREAD if request is None else request.request_id, code, text)


def too_many() -> Response:
    """Returns the answer to a query over a limit of rate; it is not read for that."""
    return Response(UNCOUNTED, Status.TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS")


def believed(request: Request, response: Response) -> Page:
    """Returns the page that a store node has answered, if it may be believed (DST-10).

    A node can keep messages back, and what it sends may lack a valid proof; it cannot invent
    what a hash, a topic or a time excludes.

    Raises:
        StorePeerFailedError: It failed, or what it says is false.
        StorePeerBusyError: It refuses at present.
        StoreQueryInvalidError: It refuses the query.
        StoreCursorUnknownError: It does not keep the message of the cursor.
    """
    _check_status(response)
    if response.request_id != request.request_id:
        raise StorePeerFailedError("the answer to another query")
    query = request.query
    if len(response.entries) > (query.page_size if query.limit else MAX_PAGE):
        raise StorePeerFailedError("more messages than were asked for")
    for entry in response.entries:
        _check_entry(entry, query)
    hashes = [entry.hash for entry in response.entries]
    if len(set(hashes)) != len(hashes):
        raise StorePeerFailedError("one message twice")
    if query.include_data:
        positions = [entry.position for entry in response.entries]
        if positions != sorted(positions):
            raise StorePeerFailedError("messages that are not in order")
    edge = hashes[-1 if query.is_forward else 0] if hashes else None
    if response.cursor is not None and response.cursor != edge:
        raise StorePeerFailedError("a cursor that is not the end of its page")
    return Page(response.entries, response.cursor)


def _check_status(response: Response) -> None:
    code, text = response.code, response.text
    if 200 <= code < 300:
        return
    if code == Status.TOO_MANY_REQUESTS:
        raise StorePeerBusyError("the store node refuses at present: too many queries")
    if "cursor not found" in text:
        raise StoreCursorUnknownError("cursor not found")
    if code == Status.BAD_REQUEST:
        raise StoreQueryInvalidError(f"the store node refuses the query: {text}")
    raise StorePeerFailedError(f"the store node failed with status {code}: {text}")


def _check_entry(entry: Entry, query: Query) -> None:
    if query.hashes and entry.hash not in query.hashes:
        raise StorePeerFailedError("a message whose hash was not asked for")
    if entry.message is None:
        if query.include_data:
            raise StorePeerFailedError("a hash without its message")
        return
    message = entry.message
    is_wanted = (
        message_hash(entry.pubsub_topic, message) == entry.hash
        and (query.pubsub_topic is None or entry.pubsub_topic == query.pubsub_topic)
        and (not query.content_topics or message.content_topic in query.content_topics)
        and (query.start_ns is None or message.timestamp_ns >= query.start_ns)
        and (query.end_ns is None or message.timestamp_ns <= query.end_ns)
    )
    if not is_wanted:
        raise StorePeerFailedError("a message that does not meet the query, or has another hash")
