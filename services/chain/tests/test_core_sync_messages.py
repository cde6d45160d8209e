"""CON-40, CON-41: the messages of the synchronisation, their bytes and their bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.consensus.errors import SyncMalformedError, SyncTooLargeError
from logos_chain.core.consensus.sync import messages
from logos_chain.core.consensus.sync.messages import (
    BlockResponse,
    DownloadRequest,
    EndResponse,
    FailureResponse,
    TipRequest,
    TipResponse,
)
from logos_chain.core.consensus.types import BlockId

ids = st.binary(min_size=32, max_size=32).map(BlockId)
requests = st.one_of(
    st.just(TipRequest()),
    st.builds(
        DownloadRequest, ids, ids, ids, st.lists(ids, max_size=messages.MAX_ADDITIONAL).map(tuple)
    ),
)
texts = st.text(max_size=40)
downloads = st.one_of(
    st.builds(BlockResponse, st.binary(max_size=300)),
    st.just(EndResponse()),
    st.builds(FailureResponse, texts),
)
numbers = st.integers(0, (1 << 64) - 1)
tips = st.one_of(st.builds(TipResponse, ids, numbers, numbers), st.builds(FailureResponse, texts))


def test_the_bytes_of_a_request() -> None:
    request = DownloadRequest(
        BlockId(b"t" * 32), BlockId(b"l" * 32), BlockId(b"i" * 32), (BlockId(b"a" * 32),)
    )

    raw = messages.encode_request(request)

    known = b"t" * 32 + b"l" * 32 + b"i" * 32
    assert raw == bytes(4) + known + b"\1" + bytes(7) + b"a" * 32
    assert messages.encode_request(TipRequest()) == b"\1\0\0\0"
    assert messages.frame(b"\1\0\0\0") == b"\4\0\0\0\1\0\0\0"


def test_the_bytes_of_answers() -> None:
    assert messages.encode_download(BlockResponse(b"xy")) == bytes(4) + b"\2" + bytes(7) + b"xy"
    assert messages.encode_download(EndResponse()) == b"\1\0\0\0"
    assert messages.encode_download(FailureResponse("no")) == b"\2\0\0\0\2" + bytes(7) + b"no"
    tip = messages.encode_tip(TipResponse(BlockId(b"t" * 32), 7, 3))
    assert tip == bytes(4) + b"t" * 32 + b"\7" + bytes(7) + b"\3" + bytes(7)


@given(requests)
def test_requests_are_read_as_they_were_written(request: DownloadRequest | TipRequest) -> None:
    assert messages.decode_request(messages.encode_request(request)) == request


@given(downloads)
def test_answers_are_read_as_they_were_written(
    response: BlockResponse | EndResponse | FailureResponse,
) -> None:
    assert messages.decode_download(messages.encode_download(response)) == response


@given(tips)
def test_tips_are_read_as_they_were_written(response: TipResponse | FailureResponse) -> None:
    assert messages.decode_tip(messages.encode_tip(response)) == response


@given(st.binary(max_size=400), st.sampled_from(["request", "download", "tip"]))
def test_any_bytes_are_read_or_refused_by_name(raw: bytes, kind: str) -> None:
    encode, decode = getattr(messages, f"encode_{kind}"), getattr(messages, f"decode_{kind}")

    try:
        message = decode(raw)
    except (SyncMalformedError, SyncTooLargeError):
        return
    if not isinstance(message, FailureResponse):
        assert encode(message) == raw


@given(requests, st.data())
def test_a_message_that_is_cut_off_or_too_long_is_refused(
    request: DownloadRequest | TipRequest, data: st.DataObject
) -> None:
    raw = messages.encode_request(request)
    cut = data.draw(st.integers(0, len(raw) - 1))

    with pytest.raises(SyncMalformedError):
        messages.decode_request(raw[:cut])
    with pytest.raises((SyncMalformedError, SyncTooLargeError)):
        messages.decode_request(raw + b"\0")


def test_six_known_blocks_are_too_many() -> None:
    many = tuple(BlockId(bytes([each]) * 32) for each in range(6))
    raw = bytes(4) + bytes(96) + (6).to_bytes(8, "little") + bytes(160)

    with pytest.raises(ValueError, match="additional"):
        messages.encode_request(DownloadRequest(many[0], many[0], many[0], many))
    with pytest.raises(SyncTooLargeError):
        messages.decode_request(raw)


def test_lengths_are_bounded_before_anything_is_read() -> None:
    limit = messages.MAX_REQUEST_BYTES

    assert messages.frame_length(limit.to_bytes(4, "little"), limit) == limit
    with pytest.raises(SyncTooLargeError):
        messages.frame_length((limit + 1).to_bytes(4, "little"), limit)
    with pytest.raises(SyncMalformedError):
        messages.frame_length(b"\0\0\0", limit)
    with pytest.raises(SyncMalformedError):
        messages.decode_download(bytes(4) + b"\xff" * 8)
    with pytest.raises(ValueError, match="block"):
        messages.encode_download(BlockResponse(bytes(messages.MAX_BLOCK_BYTES + 1)))


def test_a_text_is_cut_at_its_bound() -> None:
    raw = messages.encode_download(FailureResponse("ü" * 300))
    response = messages.decode_download(raw)

    assert response == FailureResponse("ü" * 128)
