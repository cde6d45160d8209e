import pytest
from exchange_peers import OTHERS, OWN
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto import varint
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.exchange_wire import (
    MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES,
    MAX_SAMPLE,
    ExchangeRequest,
    ExchangeResponse,
    Framed,
    decode_request,
    decode_response,
    frame,
)

pytestmark = pytest.mark.property


def test_a_request_is_the_bytes_of_the_rule() -> None:
    assert ExchangeRequest(16).encode() == bytes.fromhex("0810")
    assert ExchangeRequest(3, b"ab").encode() == bytes.fromhex("0803") + b"\x12\x02ab"
    assert ExchangeResponse(b"a", [b"b", b"cd"]).encode() == b"\x12\x01a\x1a\x01b\x1a\x02cd"


@given(count=st.integers(0, 2**64 - 1), own=st.binary(max_size=50))
def test_a_request_is_read_as_it_was_written(count: int, own: bytes) -> None:
    read = decode_request(ExchangeRequest(count, own).encode())

    assert read == ExchangeRequest(min(count, MAX_SAMPLE), own)


@given(own=st.binary(max_size=50), records=st.lists(st.binary(max_size=20), max_size=MAX_SAMPLE))
def test_a_response_is_read_as_it_was_written(own: bytes, records: list[bytes]) -> None:
    response = ExchangeResponse(own, tuple(records))

    assert decode_response(response.encode()) == response


def test_the_largest_messages_fit() -> None:
    largest = b"\0" * 1024

    assert len(ExchangeRequest(2**7, largest).encode()) <= MAX_REQUEST_BYTES
    assert len(ExchangeResponse(largest, [largest] * MAX_SAMPLE).encode()) <= MAX_RESPONSE_BYTES


def test_one_record_too_many_is_malformed() -> None:
    records = [party.record() for party in OTHERS[: MAX_SAMPLE + 1]]

    with pytest.raises(MessageMalformedError):
        decode_response(ExchangeResponse(OWN.record(), records).encode())


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_read_or_malformed(raw: bytes) -> None:
    for decode in (decode_request, decode_response):
        try:
            decode(raw)
        except MessageMalformedError:
            continue


@given(message=st.binary(max_size=300), cuts=st.lists(st.integers(0, 310), max_size=8))
def test_a_message_is_whole_however_it_is_cut(message: bytes, cuts: list[int]) -> None:
    raw, framed = frame(message), Framed(300)
    ends = sorted({min(cut, len(raw)) for cut in cuts} | {len(raw)})

    at, found = 0, []
    for end in ends:
        found.append(framed.feed(raw[at:end]))
        at = end

    assert found[-1] == message
    assert set(found[:-1]) <= {None}


@given(message=st.binary(max_size=300), more=st.binary(min_size=1, max_size=300))
def test_nothing_follows_a_message(message: bytes, more: bytes) -> None:
    with pytest.raises(MessageMalformedError):
        Framed(300).feed(frame(message) + more)


@pytest.mark.parametrize(
    "raw", [varint.encode(301), b"\xff" * 3, b"\x80\x00", varint.encode(2**40)], ids=bytes.hex
)
def test_a_length_over_the_limit_is_refused_before_the_message(raw: bytes) -> None:
    with pytest.raises(MessageMalformedError):
        Framed(300).feed(raw)


def test_what_is_kept_of_an_endless_message_is_bounded() -> None:
    framed = Framed(100)
    framed.feed(varint.encode(100))
    with pytest.raises(MessageMalformedError):
        framed.feed(b"\0" * 10_000_000)

    assert len(framed._raw) <= 104
