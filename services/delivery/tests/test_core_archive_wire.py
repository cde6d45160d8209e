"""DST-1 to DST-3: store v3 as bytes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto.protobuf import bytes_field, number_field
from logos_delivery.core import message as messages
from logos_delivery.core.archive.errors import StorePeerFailedError, StoreRequestMalformedError
from logos_delivery.core.archive.types import Entry, Query
from logos_delivery.core.archive.wire import (
    MAX_REQUEST_BYTES,
    Request,
    Response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from logos_delivery.core.message import Message

text = st.text(max_size=20)
times = st.none() | st.integers(-(1 << 63), (1 << 63) - 1)
queries = st.builds(
    Query,
    pubsub_topic=st.none() | text,
    content_topics=st.lists(text, max_size=12).map(tuple),
    start_ns=times,
    end_ns=times,
    hashes=st.lists(st.binary(max_size=40), max_size=5).map(tuple),
    include_data=st.booleans(),
    cursor=st.none() | st.binary(max_size=40),
    is_forward=st.booleans(),
    limit=st.none() | st.integers(0, (1 << 64) - 1),
)
bodies = st.builds(
    Message,
    payload=st.binary(min_size=1, max_size=20),
    content_topic=st.text(min_size=1, max_size=20),
    timestamp_ns=st.integers(-(1 << 63), (1 << 63) - 1),
    meta=st.binary(max_size=64),
    proof=st.binary(max_size=20),
)
hashes = st.binary(min_size=32, max_size=32)
entries = st.builds(Entry, hashes, text, bodies) | st.builds(Entry, hashes)
responses = st.builds(
    Response,
    text,
    st.integers(0, (1 << 32) - 1),
    text,
    st.lists(entries, max_size=4).map(tuple),
    st.none() | hashes,
)


@pytest.mark.property
@given(text, queries)
def test_a_query_is_read_as_it_was_written(request_id: str, query: Query) -> None:
    request = Request(request_id, query)

    assert decode_request(encode_request(request)) == request


@pytest.mark.property
@given(responses)
def test_an_answer_is_read_as_it_was_written(response: Response) -> None:
    assert decode_response(encode_response(response)) == response


@pytest.mark.property
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_query_or_the_fault_of_their_sender(raw: bytes) -> None:
    for decode, error in (
        (decode_request, StoreRequestMalformedError),
        (decode_response, StorePeerFailedError),
    ):
        with suppress(error):
            decode(raw)


def test_a_query_has_the_numbers_of_the_specification() -> None:
    query = Query(
        pubsub_topic="s",
        content_topics=("c", "d"),
        start_ns=1,
        end_ns=-1,
        hashes=(b"h",),
        include_data=True,
        cursor=b"x",
        is_forward=True,
        limit=7,
    )

    raw = encode_request(Request("r", query))

    assert raw.hex(" ") == (
        "0a 01 72 10 01 52 01 73 5a 01 63 5a 01 64 60 02 68 01"
        " a2 01 01 68 9a 03 01 78 a0 03 01 a8 03 07"
    )


def test_a_query_without_direction_is_read_backward_and_ours_always_has_one() -> None:
    backward = encode_request(Request("r", Query(is_forward=False)))

    assert not decode_request(bytes_field(1, b"r")).query.is_forward
    assert backward.endswith(number_field(52, 0))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        number_field(2, 1),
        bytes_field(1, b"r") + number_field(51, 1),
        bytes_field(1, bytes(1025)),
        bytes_field(1, b"r") + bytes_field(10, b"\xff"),
        bytes_field(1, b"r") + bytes_field(11, b"") * 2048,
        bytes_field(1, b"r") + bytes_field(99, bytes(MAX_REQUEST_BYTES)),
    ],
)
def test_what_is_no_query_is_refused(raw: bytes) -> None:
    with pytest.raises(StoreRequestMalformedError):
        decode_request(raw)


BODY = messages.encode(Message(b"x", "/a/1/b/c"))
HASH = bytes_field(1, bytes(32))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes_field(1, b"r"),
        number_field(10, 200) + bytes_field(11, bytes(1025)),
        number_field(10, 200) + bytes_field(20, b""),
        number_field(10, 200) + bytes_field(20, bytes_field(1, bytes(31))),
        number_field(10, 200) + bytes_field(20, HASH + bytes_field(2, BODY)),
        number_field(10, 200) + bytes_field(20, HASH + bytes_field(3, b"t")),
        number_field(10, 200) + bytes_field(20, HASH + bytes_field(2, b"") + bytes_field(3, b"t")),
        number_field(10, 200) + bytes_field(20, HASH) * 200,
    ],
)
def test_what_is_no_answer_is_the_fault_of_the_store_node(raw: bytes) -> None:
    with pytest.raises(StorePeerFailedError):
        decode_response(raw)
