"""DST-4 to DST-10: what a store node answers, and what its asker believes."""

from dataclasses import replace

import pytest

from logos_base.errors import LogosError, StoreFailedError
from logos_delivery.core.archive import answers
from logos_delivery.core.archive.errors import (
    StoreCursorUnknownError,
    StorePeerBusyError,
    StorePeerFailedError,
    StoreQueryInvalidError,
    StoreRequestMalformedError,
)
from logos_delivery.core.archive.types import PAGE_BYTES, Entry, Page, Query, cut, page_of
from logos_delivery.core.archive.wire import Request, Response, decode_response, encode_response
from logos_delivery.core.message import Message

SHARD = "/waku/2/rs/3/0"
TOPIC = "/a/1/b/c"
ENTRIES = tuple(
    Entry.of(SHARD, Message(bytes([number]), TOPIC, timestamp_ns=number)) for number in range(1, 5)
)
QUERY = Query(pubsub_topic=SHARD, content_topics=(TOPIC,), include_data=True, limit=4)
REQUEST = Request("id", QUERY)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (Query(content_topics=("t",) * 11), "too many content topics"),
        (Query(content_topics=("t",) * 11, cursor=b"x" * 32), "too many content topics"),
        (Query(hashes=(bytes(32),) * 101), "too many message hashes"),
        (Query(hashes=(bytes(31),)), "invalid hash length: 31"),
        (Query(hashes=(bytes(32),), content_topics=("t",)), "one or the other"),
        (Query(hashes=(bytes(32),), start_ns=0), "one or the other"),
        (Query(hashes=(bytes(32),), end_ns=0), "one or the other"),
        (Query(cursor=b"x" * 33), "invalid cursor hash length: 33"),
        (Query(cursor=bytes(32)), "all zeroes cursor hash"),
    ],
)
def test_a_query_that_breaks_a_rule_is_refused(query: Query, words: str) -> None:
    with pytest.raises(StoreQueryInvalidError, match=words):
        query.check()


@pytest.mark.parametrize(
    "query",
    [
        Query(content_topics=("t",) * 10, start_ns=5, end_ns=1, cursor=b"x" * 32),
        Query(hashes=(bytes(32),) * 100, pubsub_topic=SHARD),
    ],
)
def test_a_query_at_its_limits_is_not(query: Query) -> None:
    query.check()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (StoreQueryInvalidError("too many content topics"), 400, "BAD_REQUEST: too many content"),
        (StoreRequestMalformedError("cut off"), 400, "BAD_REQUEST: cut off"),
        (StoreCursorUnknownError("cursor not found"), 300, "cursor not found"),
        (StoreFailedError("/secret/path: disk"), 503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_an_error_has_its_status(error: LogosError, code: int, words: str) -> None:
    response = answers.refuse(error, REQUEST)

    assert (response.request_id, response.code) == ("id", code)
    assert words in response.text
    assert "secret" not in response.text
    assert answers.refuse(error).request_id == "not_parsed_requestId"


def test_too_many_queries_are_refused_unread() -> None:
    response = decode_response(encode_response(answers.too_many()))

    assert (response.request_id, response.code) == ("N/A", 429)
    with pytest.raises(StorePeerBusyError):
        answers.believed(REQUEST, response)


def test_a_page_is_believed_as_it_was_answered() -> None:
    for page in (Page(), Page(ENTRIES), Page(ENTRIES, ENTRIES[-1].hash)):
        assert answers.believed(REQUEST, answers.answer(REQUEST, page)) == page


def test_a_page_of_hashes_is_believed_backward_too() -> None:
    query = Query(hashes=tuple(one.hash for one in ENTRIES), is_forward=False, limit=2)
    page = Page(tuple(Entry(one.hash) for one in ENTRIES[2:]), ENTRIES[2].hash)
    request = Request("id", query)

    assert answers.believed(request, answers.answer(request, page)) == page


OTHER = Entry.of("/waku/2/rs/3/1", Message(b"x", TOPIC, timestamp_ns=2))
LATE = Entry.of(SHARD, Message(b"x", TOPIC, timestamp_ns=99))


@pytest.mark.parametrize(
    ("query", "response"),
    [
        (QUERY, Response("other", 200, "OK", ENTRIES)),
        (QUERY, Response("id", 200, "OK", (*ENTRIES, LATE))),
        (QUERY, Response("id", 200, "OK", (ENTRIES[0], ENTRIES[0]))),
        (QUERY, Response("id", 200, "OK", (ENTRIES[1], ENTRIES[0]))),
        (QUERY, Response("id", 200, "OK", (Entry(ENTRIES[0].hash),))),
        (QUERY, Response("id", 200, "OK", (replace(ENTRIES[0], hash=bytes(32)),))),
        (QUERY, Response("id", 200, "OK", (replace(ENTRIES[0], pubsub_topic="x"),))),
        (QUERY, Response("id", 200, "OK", (OTHER,))),
        (replace(QUERY, content_topics=("x",)), Response("id", 200, "OK", ENTRIES)),
        (replace(QUERY, start_ns=2), Response("id", 200, "OK", ENTRIES)),
        (replace(QUERY, end_ns=3), Response("id", 200, "OK", ENTRIES)),
        (QUERY, Response("id", 200, "OK", ENTRIES, ENTRIES[0].hash)),
        (QUERY, Response("id", 200, "OK", (), ENTRIES[0].hash)),
        (Query(hashes=(ENTRIES[0].hash,)), Response("id", 200, "OK", (Entry(ENTRIES[1].hash),))),
        (QUERY, Response("id", 503, "SERVICE_UNAVAILABLE")),
        (QUERY, Response("id", 300, "BAD_RESPONSE: archive error")),
        (QUERY, Response("id", 0, "")),
    ],
)
def test_a_false_answer_is_not_believed(query: Query, response: Response) -> None:
    with pytest.raises(StorePeerFailedError):
        answers.believed(Request("id", query), response)


def test_a_refusal_says_whose_fault_it_is() -> None:
    """The second is how the reference says it."""
    for error in (StoreQueryInvalidError("x"), StoreCursorUnknownError("cursor not found")):
        with pytest.raises(type(error)):
            answers.believed(REQUEST, answers.refuse(error, REQUEST))
    reference = Response("id", 300, "BAD_RESPONSE: archive error: DRIVER_ERROR: cursor not found")
    with pytest.raises(StoreCursorUnknownError):
        answers.believed(REQUEST, reference)


def test_a_page_is_cut_by_count_and_by_bytes() -> None:
    found = list(ENTRIES)

    assert page_of(found, 4, is_forward=True) == Page(ENTRIES)
    assert page_of(found, 3, is_forward=True) == Page(ENTRIES[:3], ENTRIES[2].hash)
    backward = page_of(found[::-1], 3, is_forward=False)
    assert backward == Page(ENTRIES[1:], ENTRIES[1].hash)
    assert cut([PAGE_BYTES + 1, 1]) == 1
    assert cut([PAGE_BYTES - 1, 1, 1]) == 2
    assert cut([]) == 0
