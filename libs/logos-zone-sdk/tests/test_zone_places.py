"""Checkpoints and cursors: ZON-12, ZON-14."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_zone_sdk.core.errors import (
    CheckpointForeignError,
    CheckpointMalformedError,
    CursorMalformedError,
)
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.core.places import CURSOR_BYTES, Checkpoint, Cursor, PendingPayload

HASH = st.binary(min_size=32, max_size=32)
U64 = st.integers(0, 2**64 - 1)
POINTS = st.builds(Point, HASH, U64, U64)


@st.composite
def checkpoints(draw: st.DrawFn) -> Checkpoint:
    numbers = sorted(draw(st.sets(st.integers(0, 2**64 - 2), max_size=4)))
    payloads = [draw(st.binary(max_size=40)) for _ in numbers]
    return Checkpoint(
        draw(HASH),
        draw(HASH),
        draw(POINTS),
        draw(st.none() | HASH),
        draw(st.integers((numbers or [-1])[-1] + 1, 2**64 - 1)),
        tuple(map(PendingPayload, numbers, payloads)),
    )


@given(checkpoints())
def test_checkpoints_come_back(checkpoint: Checkpoint) -> None:
    assert Checkpoint.decode(checkpoint.encode()) == checkpoint


@given(checkpoints(), st.data())
def test_damaged_checkpoints_are_refused_or_are_others(
    checkpoint: Checkpoint, data: st.DataObject
) -> None:
    raw = bytearray(checkpoint.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        found = Checkpoint.decode(bytes(raw))
    except CheckpointMalformedError:
        return
    assert found != checkpoint
    assert found.encode() == raw


@given(st.binary(max_size=300))
def test_any_bytes_are_a_checkpoint_or_an_error(raw: bytes) -> None:
    try:
        assert Checkpoint.decode(raw).encode() == raw
    except CheckpointMalformedError:
        return


@given(checkpoints(), st.data())
def test_a_checkpoint_that_ends_early_or_late_is_refused(
    checkpoint: Checkpoint, data: st.DataObject
) -> None:
    raw = checkpoint.encode()
    for wrong in (raw[: data.draw(st.integers(0, len(raw) - 1))], raw + b"\0"):
        with pytest.raises(CheckpointMalformedError):
            Checkpoint.decode(wrong)


@given(checkpoints())
def test_numbers_increase(checkpoint: Checkpoint) -> None:
    twice = replace(checkpoint, next_number=2, pending=(PendingPayload(1, b""),) * 2)
    late = replace(checkpoint, next_number=1, pending=(PendingPayload(1, b""),))
    for wrong in (twice, late):
        with pytest.raises(CheckpointMalformedError):
            Checkpoint.decode(wrong.encode())


@given(checkpoints())
def test_a_checkpoint_of_another_channel_or_key_is_refused(checkpoint: Checkpoint) -> None:
    checkpoint.check(checkpoint.channel, checkpoint.key)
    for channel, key in ((b"x" * 32, checkpoint.key), (checkpoint.channel, b"y" * 32)):
        with pytest.raises(CheckpointForeignError):
            checkpoint.check(channel, key)


@given(HASH, POINTS)
def test_cursors_come_back(message: bytes, block: Point) -> None:
    raw = Cursor(message, block).encode()

    assert len(raw) == CURSOR_BYTES
    assert Cursor.decode(raw) == Cursor(message, block)


@pytest.mark.parametrize(
    "raw", [b"", bytes(CURSOR_BYTES), b"\1" * (CURSOR_BYTES - 1), b"\1" * (CURSOR_BYTES + 1)]
)
def test_other_bytes_are_no_cursor(raw: bytes) -> None:
    with pytest.raises(CursorMalformedError):
        Cursor.decode(raw)
