import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto.erasure import counts_fit
from logos_crypto.hashes import keccak256
from logos_crypto.protobuf import bytes_field, number_field
from logos_delivery.core.channels.errors import ChannelPayloadTooLargeError, SegmentMalformedError
from logos_delivery.core.channels.segmentation import (
    MAX_SEGMENT_BYTES,
    MAX_SEGMENTS,
    Segment,
    cut,
    decode,
    encode,
    parity_count,
    rebuild,
)
from logos_delivery.core.errors import PayloadEmptyError

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "vectors/logos-channels/frames.json").read_text(encoding="utf-8"))

rates = st.sampled_from([0.0, 0.125, 0.5, 1.0])
payloads = st.binary(min_size=1, max_size=1500) | st.integers(1, 1500).map(bytes)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["segments"], ids=lambda case: case["id"])
def test_segments_have_published_bytes(case: dict[str, Any]) -> None:
    segments = cut(
        bytes.fromhex(case["payload"]),
        segment_bytes=case["segment_bytes"],
        parity_rate=case["parity_rate"],
    )

    assert [encode(segment).hex() for segment in segments] == case["segments"]
    assert [decode(bytes.fromhex(raw)) for raw in case["segments"]] == segments


@given(payloads, rates, st.data())
def test_any_so_many_segments_give_the_payload(
    payload: bytes, rate: float, data: st.DataObject
) -> None:
    """CHN-4 to CHN-6. Payloads of zeros only have an end that only their hash shows."""
    made = [decode(encode(each)) for each in cut(payload, segment_bytes=64, parity_rate=rate)]
    count, parity = made[0].data_count, made[0].parity_count
    kept = data.draw(st.permutations(made))[:count]

    pieces = {segment.place: segment.piece for segment in kept}

    assert rebuild(keccak256(payload), pieces, count, parity) == payload
    assert len(made) == count + parity
    assert {segment.place for segment in made} == set(range(count + parity))


@given(payloads, rates, st.data())
def test_a_changed_piece_gives_nothing(payload: bytes, rate: float, data: st.DataObject) -> None:
    made = cut(payload, segment_bytes=64, parity_rate=rate)
    count, parity = made[0].data_count, made[0].parity_count
    pieces = {segment.place: segment.piece for segment in made[-count:]}
    place = data.draw(st.sampled_from(sorted(pieces)))
    at = data.draw(st.integers(0, len(pieces[place]) - 1))
    piece = bytearray(pieces[place])
    piece[at] ^= 1

    assert rebuild(keccak256(payload), {**pieces, place: bytes(piece)}, count, parity) is None


def test_pieces_of_unequal_sizes_give_nothing() -> None:
    pieces = {1: bytes(64), 2: bytes(128)}

    assert rebuild(bytes(32), pieces, 2, 1) is None


@pytest.mark.parametrize(
    ("size", "rate", "counts"),
    [
        (1, 0.0, (1, 0)),
        (64, 0.0, (1, 0)),
        (65, 0.0, (2, 0)),
        (64 * 8, 0.125, (8, 1)),
        (64 * 15, 0.125, (15, 1)),
        (64 * 7, 0.125, (7, 0)),
        (64 * 224, 0.125, (224, 28)),
        (64 * 225, 0.125, (225, 16)),
        (64 * 254, 0.125, (254, 1)),
        (64 * 255, 0.125, (255, 0)),
        (1, 1.0, (1, 1)),
    ],
)
def test_counts_follow_the_rate_as_far_as_the_field_goes(
    size: int, rate: float, counts: tuple[int, int]
) -> None:
    first = cut(bytes(size), segment_bytes=64, parity_rate=rate)[0]

    assert (first.data_count, first.parity_count) == counts


@given(st.integers(1, MAX_SEGMENTS), st.floats(0, 1))
def test_parity_is_never_more_than_the_codec_makes(data: int, rate: float) -> None:
    parity = parity_count(data, rate)

    assert parity == 0 or (counts_fit(data, parity) and data + parity <= MAX_SEGMENTS)
    has_room = counts_fit(data, parity + 1) and data + parity < MAX_SEGMENTS
    assert parity >= int(rate * data) or not has_room
    assert parity <= rate * data


def test_payloads_are_neither_empty_nor_of_over_255_segments() -> None:
    cut(bytes(64 * 255), segment_bytes=64, parity_rate=0)

    with pytest.raises(PayloadEmptyError, match="empty payload"):
        cut(b"", segment_bytes=64, parity_rate=0)
    with pytest.raises(ChannelPayloadTooLargeError):
        cut(bytes(64 * 255 + 1), segment_bytes=64, parity_rate=0)


def segment(**changes: Any) -> bytes:
    fields = {"payload_hash": bytes(32), "index": 0, "data_count": 2, "piece": b"x", **changes}
    return encode(Segment(**fields))


@pytest.mark.parametrize(
    "raw",
    [
        segment(payload_hash=bytes(31)),
        segment(payload_hash=b""),
        segment(data_count=0),
        segment(data_count=256),
        segment(index=2),
        segment(piece=b""),
        segment(piece=bytes(MAX_SEGMENT_BYTES + 1)),
        segment(is_parity=True),
        segment(is_parity=True, parity_count=2, index=2, piece=bytes(64)),
        segment(is_parity=True, parity_count=2, piece=bytes(63)),
        segment(data_count=2, parity_count=3),
        segment(data_count=225, parity_count=29),
        segment(data_count=250, parity_count=6),
        number_field(1, 5),
        bytes_field(1, bytes(32)) + b"\xff",
        b"",
    ],
)
def test_what_breaks_a_rule_is_no_segment(raw: bytes) -> None:
    """CHN-3."""
    with pytest.raises(SegmentMalformedError):
        decode(raw)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_segment_or_refused(raw: bytes) -> None:
    try:
        found = decode(raw)
    except SegmentMalformedError:
        return
    assert decode(encode(found)) == found


def test_a_segment_adds_at_most_100_bytes() -> None:
    made = cut(bytes(200 * 1024 * 10), segment_bytes=100 * 1024, parity_rate=0.125)

    assert max(len(encode(each)) - len(each.piece) for each in made) <= 100
