import base58 as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto import base58

pytestmark = pytest.mark.property


@given(st.binary(max_size=80))
def test_agrees_with_another_implementation(raw: bytes) -> None:
    assert base58.encode(raw) == oracle.b58encode(raw).decode()


@given(st.binary(max_size=80))
def test_decoding_undoes_encoding(raw: bytes) -> None:
    assert base58.decode(base58.encode(raw)) == raw


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "a b", "é"])
def test_refuses_characters_that_are_not_of_the_alphabet(text: str) -> None:
    with pytest.raises(ValueError, match="not a base58 character"):
        base58.decode(text)
