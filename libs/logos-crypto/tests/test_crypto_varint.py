import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto import varint


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (0xCD01, "819a03"), (2**64 - 1, "ff" * 9 + "01")],
)
def test_encodes_known_values(value: int, encoded: str) -> None:
    assert varint.encode(value).hex() == encoded
    assert varint.decode(bytes.fromhex(encoded)) == (value, len(encoded) // 2)


@pytest.mark.property
@given(st.integers(0, 2**64 - 1), st.binary(max_size=5), st.binary(max_size=5))
def test_decoding_undoes_encoding(value: int, before: bytes, after: bytes) -> None:
    encoded = varint.encode(value)

    assert varint.decode(before + encoded + after, len(before)) == (
        value,
        len(before) + len(encoded),
    )


@pytest.mark.parametrize("encoded", ["", "80", "ff" * 9 + "02", "ff" * 10 + "01"])
def test_refuses_what_is_cut_off_or_too_large(encoded: str) -> None:
    with pytest.raises(ValueError, match="varint"):
        varint.decode(bytes.fromhex(encoded))


def test_only_the_minimal_reader_refuses_padding() -> None:
    with pytest.raises(ValueError, match="not minimal"):
        varint.decode(b"\x81\x00")

    assert varint.decode(b"\x81\x00", minimal=False) == (1, 2)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_encodes_only_unsigned_64_bits(value: int) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        varint.encode(value)
