"""Ids and heights as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_app.panels.chain.ids import MAX_U64, id_of, number_of


@given(st.binary(min_size=32, max_size=32))
def test_an_id_is_read_with_or_without_its_prefix(raw: bytes) -> None:
    for text in (raw.hex(), raw.hex().upper(), f"0x{raw.hex()}", f" 0X{raw.hex().upper()}\n"):
        assert id_of(text) == raw


@pytest.mark.parametrize(
    "text",
    ["", "0x", "ab" * 31, "ab" * 33, "g" * 64, "٣" * 64, "0x" + "a" * 62, "a" * 32 + " " * 32],
)
def test_anything_else_is_no_id(text: str) -> None:
    assert id_of(text) is None


@given(st.integers(0, MAX_U64))
def test_a_number_is_read_as_it_is_shown(number: int) -> None:
    assert number_of(str(number)) == number_of(f" {number:,} ") == number


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", "x", ",1", str(2**64), "9" * 50, "٣"])
def test_anything_else_is_no_number(text: str) -> None:
    assert number_of(text) is None
