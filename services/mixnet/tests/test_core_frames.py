"""MIX-23: packets on a stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.mixing.errors import FrameLengthError
from logos_mixnet.core.mixing.frames import Frames, varint


def test_a_varint_is_that_of_multiformats() -> None:
    """Source: the examples of github.com/multiformats/unsigned-varint."""
    examples = {1: "01", 127: "7f", 128: "8001", 255: "ff01", 300: "ac02", 16384: "808001"}
    assert {number: varint(number).hex() for number in examples} == examples


def test_a_packet_travels_behind_its_length() -> None:
    assert Frames(4608).frame(bytes(4608))[:2].hex() == "8024"
    assert Frames(4909).frame(bytes(4909))[:2].hex() == "ad26"


@given(st.lists(st.binary(min_size=300, max_size=300), max_size=5), st.data())
def test_packets_come_out_however_they_were_cut(packets: list[bytes], data: st.DataObject) -> None:
    sent = b"".join(Frames(300).frame(each) for each in packets)
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=8).map(sorted))
    reader, out = Frames(300), []
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        out += reader.take(sent[start:end])

    assert out == packets


@pytest.mark.parametrize("length", ["00", "ab02", "ad02", "ac8200", "ff01"])
def test_another_length_is_refused_at_its_first_wrong_byte(length: str) -> None:
    reader, raw = Frames(300), bytes.fromhex(length)
    right = next(at for at, byte in enumerate(raw) if byte != varint(300)[at])
    for byte in raw[:right]:
        assert reader.take(bytes([byte])) == []
    with pytest.raises(FrameLengthError):
        reader.take(raw[right : right + 1])


def test_a_packet_of_another_size_is_not_sent() -> None:
    with pytest.raises(ValueError, match="300 bytes"):
        Frames(300).frame(bytes(301))
