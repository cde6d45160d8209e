"""RLN-27, RLN-28, RLN-31: what nodes tell each other of members, shares and memberships."""

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

pytest.importorskip("logos_native")

from hypothesis import given, settings
from hypothesis import strategies as st

from logos_mixnet.core.rln import metadata
from logos_mixnet.core.rln.allocation import (
    Allocated,
    AllocationRequest,
    AllocationResponse,
    SharedSecret,
    authenticated,
    check_authentic,
    framed,
    unframed,
)
from logos_mixnet.core.rln.errors import (
    AllocationMalformedError,
    AuthenticationError,
    RecordsMalformedError,
    ReportMalformedError,
)
from logos_mixnet.core.rln.nullifiers import Point, Sighting
from logos_mixnet.core.rln.records import MAX_RECORDS, Kind, Record, RecordReader, digest

COMMITMENT = (77).to_bytes(32, "little")
SECRET = SharedSecret(b"a secret of the test network")


def value(number: int) -> bytes:
    return number.to_bytes(32, "little")


def sighting(number: int) -> Sighting:
    return Sighting(5, value(number), Point(value(number + 1), value(number + 2)))


# Shares


@pytest.mark.parametrize("count", [1, 128, 129, 300])
def test_shares_come_back_from_as_many_messages_as_it_takes(count: int) -> None:
    shares = [sighting(number) for number in range(count)]

    sent = list(metadata.messages(shares))

    assert len(sent) == -(-count // metadata.MAX_SHARES)
    assert all(len(each) <= metadata.MAX_BYTES for each in sent)
    told = [each for message in sent for each in metadata.read(message)]
    assert told == [metadata.Told(each.nullifier, each.point) for each in shares]


def test_a_share_has_the_bytes_of_lip_144() -> None:
    [message] = metadata.messages([sighting(1)])

    fields = b"".join(bytes([number << 3 | 2, 32]) + value(number) for number in (1, 2, 3))
    assert message == bytes([10, len(fields)]) + fields


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x0a\x00",
        b"\x0a\x22\x0a\x20" + b"\xff" * 32,
        b"\x0a",
        b"x" * (metadata.MAX_BYTES + 1),
        b"".join(metadata.messages([sighting(1)]))[:-1],
        b"".join(metadata.messages([sighting(n) for n in range(129)])),
    ],
)
def test_what_is_no_report_is_refused(raw: bytes) -> None:
    with pytest.raises(ReportMalformedError):
        metadata.read(raw)


# Records

RECORDS = [Record(Kind.ANNOUNCEMENT, bytes([1]) * 178), Record(Kind.SLASH, bytes([2]) * 312)] * 3


@given(cuts=st.lists(st.integers(0, 1_500), max_size=8))
def test_records_are_read_from_any_pieces(cuts: list[int]) -> None:
    raw, reader, found = b"".join(each.encode() for each in RECORDS), RecordReader(), []
    marks = [0, *sorted(cuts), len(raw)]

    for start, end in pairwise(marks):
        found += reader.feed(raw[start:end])

    assert found == RECORDS


@pytest.mark.parametrize(
    "raw", [b"\x03\x01\x00", b"\x01\x00\x00", b"\x01\xff\x00", b"\x02\xff\x01"]
)
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(RecordsMalformedError):
        RecordReader().feed(raw)


def test_no_more_records_are_taken_than_there_can_be() -> None:
    reader, one = RecordReader(), Record(Kind.SLASH, b"x").encode()
    reader.feed(one * MAX_RECORDS)

    with pytest.raises(RecordsMalformedError):
        reader.feed(one)


def test_a_digest_is_of_who_is_there_and_not_of_the_order() -> None:
    assert digest([b"a", b"b"], []) == digest([b"b", b"a"], [])
    assert len({digest([b"a"], []), digest([], [b"a"]), digest([b"a"], [b"a"])}) == 3


# LIP-158


def test_a_request_has_the_bytes_of_lip_158() -> None:
    request = AllocationRequest("id", COMMITMENT, 300, b"t", b"p")

    expected = b"\x0a\x02id\x12\x01t\x1a\x01p\x22\x20" + COMMITMENT + b"\x28\xac\x02"
    assert request.encode() == expected
    assert AllocationRequest.decode(expected) == request
    unlimited = replace(request, rate_limit=None)
    assert AllocationRequest.decode(unlimited.encode()) == unlimited


@pytest.mark.parametrize(
    "response",
    [
        AllocationResponse("id", is_authentic=False, error="no"),
        AllocationResponse("id", is_authentic=True, failure="full"),
        AllocationResponse("id", is_authentic=True, allocated=Allocated(0, b"")),
        AllocationResponse("id", is_authentic=True, allocated=Allocated(7, value(1), 9, b"tx")),
    ],
)
def test_responses_come_back(response: AllocationResponse) -> None:
    assert AllocationResponse.decode(response.encode()) == response


@pytest.mark.parametrize(
    "changed",
    [
        *({"identity_commitment": each} for each in (bytes(32), b"\xff" * 32, b"short")),
        *({"request_id": each} for each in ("", "x" * 129)),
    ],
)
def test_a_request_that_is_none_is_refused(changed: dict[str, Any]) -> None:
    request = replace(AllocationRequest("id", COMMITMENT), **changed)

    with pytest.raises(AllocationMalformedError):
        AllocationRequest.decode(request.encode())


@given(raw=st.binary(max_size=80))
@settings(max_examples=200)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for read in (AllocationRequest.decode, AllocationResponse.decode):
        with suppress(AllocationMalformedError):
            read(raw)


def test_who_knows_the_secret_is_let_in_and_with_that_request_only() -> None:
    request = authenticated(AllocationRequest("id", COMMITMENT, 10), SECRET)

    check_authentic(request, {SECRET.kind: SECRET})

    others = [
        authenticated(AllocationRequest("id", COMMITMENT, 10), SharedSecret(b"another")),
        replace(request, rate_limit=11),
        replace(request, rate_limit=None),
        replace(request, request_id="other"),
        replace(request, identity_commitment=value(78)),
        replace(request, authentication_type=b"unknown"),
        replace(request, authentication_payload=b""),
    ]
    for other in others:
        with pytest.raises(AuthenticationError):
            check_authentic(other, {SECRET.kind: SECRET})
    assert SECRET.secret not in repr(SECRET).encode() + repr(request).encode()


@given(message=st.binary(max_size=300), rest=st.binary(max_size=5))
def test_a_framed_message_is_read_when_it_is_whole(message: bytes, rest: bytes) -> None:
    raw = framed(message)

    assert all(unframed(raw[:end]) is None for end in range(len(raw)))
    assert unframed(raw + rest) == message


@pytest.mark.parametrize("raw", [b"\x81\x20x", b"\xff" * 10, b"\x80\x00"])
def test_a_length_that_is_none_or_too_much_is_refused(raw: bytes) -> None:
    with pytest.raises(AllocationMalformedError):
        unframed(raw)
