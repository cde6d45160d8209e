"""Segments: a payload cut into pieces that the network passes on, and their bytes.

Spec: docs/protocol/channels.md, CHN-3 to CHN-6. Source: LIP segmentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from logos_crypto.erasure import (
    FIELD,
    SHARD_UNIT_BYTES,
    counts_fit,
    data_shards,
    end_of_padded,
    parity_shards,
)
from logos_crypto.hashes import KECCAK_BYTES, keccak256
from logos_crypto.protobuf import Fields, bytes_field, number_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core.channels.errors import ChannelPayloadTooLargeError, SegmentMalformedError
from logos_delivery.core.errors import PayloadEmptyError

SEGMENT_BYTES: Final = 100 * 1024
"""Of a segment's piece, unless a channel says otherwise."""
MAX_SEGMENT_BYTES: Final = 140 * 1024
"""So that the message around it has at most 150 KiB."""
MAX_SEGMENTS: Final = FIELD - 1
"""Data and parity segments of one payload, together."""
PARITY_RATE: Final = 0.125

_HASH: Final = 1
_DATA_INDEX: Final = 2
_DATA_COUNT: Final = 3
_PIECE: Final = 4
_PARITY_INDEX: Final = 5
_PARITY_COUNT: Final = 6
_IS_PARITY: Final = 7


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a payload, or parity over the pieces."""

    payload_hash: bytes
    """keccak-256 of the whole payload."""
    index: int
    """Among the data segments, or among the parity segments; from 0."""
    data_count: int
    piece: bytes
    parity_count: int = 0
    is_parity: bool = False

    @property
    def place(self) -> int:
        """Its place among all segments of the payload: parity comes after data."""
        return self.index + self.data_count if self.is_parity else self.index


def encode(segment: Segment) -> bytes:
    """Encodes a segment; fields that hold their default are left out."""
    fields = [
        bytes_field(_HASH, segment.payload_hash),
        _number(_DATA_INDEX, 0 if segment.is_parity else segment.index),
        _number(_DATA_COUNT, segment.data_count),
        bytes_field(_PIECE, segment.piece),
        _number(_PARITY_INDEX, segment.index if segment.is_parity else 0),
        _number(_PARITY_COUNT, segment.parity_count),
        _number(_IS_PARITY, int(segment.is_parity)),
    ]
    return b"".join(fields)


def _number(number: int, value: int) -> bytes:
    return number_field(number, value) if value else b""


def decode(raw: bytes) -> Segment:
    """Reads a segment.

    Raises:
        SegmentMalformedError: It is none, or breaks a rule of CHN-3.
    """
    try:
        fields = Fields(raw)
        is_parity = bool(fields.number(_IS_PARITY))
        segment = Segment(
            payload_hash=fields.raw(_HASH),
            index=fields.number(_PARITY_INDEX if is_parity else _DATA_INDEX),
            data_count=fields.number(_DATA_COUNT),
            piece=fields.raw(_PIECE),
            parity_count=fields.number(_PARITY_COUNT),
            is_parity=is_parity,
        )
    except ProtobufError as error:
        raise SegmentMalformedError(str(error)) from error
    _check(segment)
    return segment


def _check(segment: Segment) -> None:
    data, parity = segment.data_count, segment.parity_count
    if len(segment.payload_hash) != KECCAK_BYTES:
        raise SegmentMalformedError("the hash of a payload has 32 bytes")
    if data < 1 or data + parity > MAX_SEGMENTS:
        raise SegmentMalformedError(f"{data} data and {parity} parity segments")
    if parity and not counts_fit(data, parity):
        raise SegmentMalformedError(f"{data} data segments have no {parity} parity segments")
    if segment.index >= (parity if segment.is_parity else data):
        raise SegmentMalformedError(f"segment {segment.index} is beyond the count")
    size = len(segment.piece)
    if not 1 <= size <= MAX_SEGMENT_BYTES or (segment.is_parity and size % SHARD_UNIT_BYTES):
        raise SegmentMalformedError(f"a piece of {size} bytes")


def parity_count(data: int, rate: float) -> int:
    """Returns how many parity segments go with data segments: as many as the rate asks for.

    Rounded down, so that a small payload does not double; fewer where the codec's field has no
    room for them.
    """
    wanted = min(data, int(data * rate))
    while wanted and not (counts_fit(data, wanted) and data + wanted <= MAX_SEGMENTS):
        wanted -= 1
    return wanted


def cut(payload: bytes, *, segment_bytes: int, parity_rate: float) -> list[Segment]:
    """Returns the segments of a payload: data, then parity (CHN-4, CHN-5).

    Raises:
        PayloadEmptyError: There is nothing to send.
        ChannelPayloadTooLargeError: It would be more than 255 segments.
    """
    if not payload:
        raise PayloadEmptyError("empty payload")
    pieces = [payload[at : at + segment_bytes] for at in range(0, len(payload), segment_bytes)]
    count = len(pieces)
    if count > MAX_SEGMENTS:
        most = MAX_SEGMENTS * segment_bytes
        raise ChannelPayloadTooLargeError(f"a payload of {len(payload)} bytes, over {most}")
    extra = parity_count(count, parity_rate)
    digest = keccak256(payload)
    segments = [Segment(digest, at, count, piece, extra) for at, piece in enumerate(pieces)]
    if extra:
        pieces[-1] = pieces[-1].ljust(segment_bytes, b"\0")
        shards = parity_shards(pieces, extra)
        segments += [
            Segment(digest, at, count, shard, extra, is_parity=True)
            for at, shard in enumerate(shards)
        ]
    return segments


def rebuild(
    payload_hash: bytes, pieces: Mapping[int, bytes], data: int, parity: int
) -> bytes | None:
    """Returns the payload of at least `data` pieces by place (CHN-6).

    None if it has another hash.
    """
    if all(at in pieces for at in range(data)):
        whole = [pieces[at] for at in range(data)]
    else:
        shards = [pieces.get(at) for at in range(data + parity)]
        last = shards[data - 1]
        if last is not None:
            shards[data - 1] = last.ljust(max(map(len, pieces.values())), b"\0")
        try:
            whole = data_shards(shards, data)
        except ValueError:
            return None  # pieces of unequal sizes: they are not of one payload
    joined = b"".join(whole)
    end = end_of_padded(joined, len(joined) - len(whole[-1]) + 1, payload_hash)
    return None if end is None else joined[:end]
