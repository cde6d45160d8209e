"""DST-31, DST-35: ranges as bytes."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto import varint
from logos_delivery.core.archive.types import Position
from logos_delivery.core.sync.errors import SyncPayloadMalformedError, SyncPayloadTooLargeError
from logos_delivery.core.sync.types import (
    NO_HASH,
    Bounds,
    Fingerprint,
    ItemSet,
    Payload,
    Range,
    Scope,
    Skip,
    between,
)
from logos_delivery.core.sync.wire import (
    MAX_ITEMS,
    MAX_PAYLOAD_BYTES,
    MAX_RANGES,
    decode,
    encode,
)

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/sync.json").read_text(encoding="utf-8")
)
NOW = 1_800_000_000 * 10**9
hashes = st.binary(min_size=32, max_size=32)


@st.composite
def payloads(draw: st.DrawFn) -> Payload:
    topics = st.frozensets(st.text(max_size=6), max_size=3)
    end = Position(draw(st.integers(0, NOW)), NO_HASH)
    ranges: list[Range] = []
    for _ in range(draw(st.integers(1, 5))):
        upper = draw(bounds_after(end))
        bounds = Bounds(end, upper)
        ranges.append(draw(contents(bounds)))
        end = upper
    return Payload(Scope(draw(topics), draw(topics)), tuple(ranges))


def bounds_after(lower: Position) -> st.SearchStrategy[Position]:
    later = st.integers(1, 10**12).map(lambda step: Position(lower.timestamp_ns + step, NO_HASH))
    first = int.from_bytes(lower.hash, "big")
    if first >= (1 << 256) - 2:
        return later
    same = st.integers(first + 1, (1 << 256) - 1).map(
        lambda value: Position(lower.timestamp_ns, value.to_bytes(32, "big"))
    )
    return later | same


@st.composite
def contents(draw: st.DrawFn, bounds: Bounds) -> Range:
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return Skip(bounds)
    if kind == 1:
        return Fingerprint(bounds, draw(hashes))
    times = st.integers(bounds.lower.timestamp_ns, bounds.upper.timestamp_ns)
    items = draw(st.sets(st.builds(Position, times, hashes), max_size=4))
    inside = tuple(sorted(one for one in items if bounds.lower <= one < bounds.upper))
    return ItemSet(bounds, inside, draw(st.booleans()))


@pytest.mark.property
@given(payloads())
def test_ranges_are_read_as_they_were_written(payload: Payload) -> None:
    assert decode(encode(payload)) == payload


@pytest.mark.property
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_ranges_or_the_fault_of_their_sender(raw: bytes) -> None:
    with suppress(SyncPayloadMalformedError, SyncPayloadTooLargeError):
        decode(raw)


@pytest.mark.property
@given(payloads(), st.data())
def test_a_damaged_payload_is_ranges_or_the_fault_of_its_sender(
    payload: Payload, data: st.DataObject
) -> None:
    raw = bytearray(encode(payload))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    with suppress(SyncPayloadMalformedError, SyncPayloadTooLargeError):
        decode(bytes(raw)[: data.draw(st.integers(0, len(raw)))])


@pytest.mark.vectors
def test_times_and_hashes_are_told_by_their_differences() -> None:
    """The table of WAKU2-SYNC, as ends of ranges; a hash is told only where the time stays."""
    steps = [one["time"] + one["hash_delta"] + "00" for one in VECTORS["deltas"]]

    payload = decode(bytes.fromhex("0000" + "00" + "".join(steps)))

    assert [one.bounds.upper for one in payload.ranges] == [
        Position(one["timestamp"], bytes.fromhex(one["hash_delta"][2:]).ljust(32, b"\0"))
        for one in VECTORS["deltas"]
    ]


def test_a_payload_has_the_bytes_of_the_reference() -> None:
    """By its rules of encoding: lists of topics, the first time, then ends, types and contents."""
    one, two = b"\x11" * 32, b"\x22" * 32
    ranges: Sequence[Range] = (
        Skip(between(1000, 1001)),
        Fingerprint(between(1001, 1201), one),
        ItemSet(
            between(1201, 1300), (Position(1201, one), Position(1202, two)), is_reconciled=True
        ),
    )

    raw = encode(Payload(Scope(frozenset({"/a"})), tuple(ranges)))

    assert raw.hex() == (
        "01022f61"
        "00"
        "e807"
        "0100"
        "c80101" + one.hex() + "6302" + "02" + "b109" + one.hex() + "01" + two.hex() + "01"
    )


def test_the_end_is_one_byte_and_nothing_is_the_end_too() -> None:
    assert encode(Payload()) == b"\0"
    assert decode(b"\0") == decode(b"") == Payload()
    assert decode(b"\0").is_over


HEAD = b"\0\0" + varint.encode(1000)
SET = HEAD + b"\x0a\x02"


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\0",
        HEAD + b"\x01",
        HEAD + b"\x01\x03",
        HEAD + b"\x01\x01" + bytes(31),
        HEAD + b"\x00\x00\x00",
        HEAD + b"\x00\x01\x00\x00",
        HEAD + b"\x00\x21" + bytes(33) + b"\x00",
        HEAD + b"\x81\x00\x00",
        b"\0\0" + varint.encode(1 << 63) + b"\x01\x00",
        HEAD + varint.encode((1 << 63) - 1000) + b"\x00",
        b"\x01\x01\xff\x00" + varint.encode(1000) + b"\x01\x00",
        SET + b"\x00\x02",
        SET + b"\x01" + varint.encode(1001) + bytes(32),
        SET + b"\x01" + varint.encode(999) + bytes(32) + b"\x00",
        SET + b"\x01" + varint.encode(1010) + b"\x01" * 32 + b"\x00",
        SET + b"\x02" + (varint.encode(1001) + bytes(32)) + (b"\x00" + bytes(32)) + b"\x00",
    ],
)
def test_what_are_no_ranges_is_refused(raw: bytes) -> None:
    with pytest.raises(SyncPayloadMalformedError):
        decode(raw)


@pytest.mark.parametrize(
    "raw",
    [
        bytes(MAX_PAYLOAD_BYTES + 1),
        varint.encode(1025) + b"\0" * 9,
        b"\x01" + varint.encode(1025) + bytes(1025),
        HEAD + b"\x01\x00" * (MAX_RANGES + 1),
        SET + varint.encode(MAX_ITEMS + 1),
        SET + varint.encode((1 << 64) - 1),
    ],
)
def test_what_is_too_much_is_refused(raw: bytes) -> None:
    with pytest.raises(SyncPayloadTooLargeError):
        decode(raw)


@pytest.mark.parametrize(
    "ranges",
    [
        (Skip(between(1, 2)), Skip(between(3, 4))),
        (Skip(between(2, 2)),),
        (Skip(Bounds(Position(1, NO_HASH), Position(2, b"\1" * 32))),),
        (Skip(Bounds(Position(1, b"\1" * 32), Position(2, NO_HASH))),),
    ],
)
def test_ranges_that_cannot_be_encoded_are_a_mistake_of_ours(ranges: tuple[Range, ...]) -> None:
    with pytest.raises(ValueError, match="a range that"):
        encode(Payload(ranges=ranges))
