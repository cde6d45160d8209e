"""Tokens: nothing but what the kernel signed is believed."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from logos_base.capabilities import MAX_TOKEN_BYTES, Claims, ModuleSubject
from logos_module.capabilities.errors import TokenInvalidError
from logos_module.capabilities.tokens import SIGNATURE_BYTES, key_id_of, sign, verify

KEY = SigningKey(bytes(32))
PUBLIC = KEY.verify_key
KEYS = {key_id_of(PUBLIC.encode()): PUBLIC}
CLAIMS = Claims(
    token_id=b"t" * 16,
    subject=ModuleSubject("storage", b"i" * 16, 7),
    audience="mixnet",
    methods=("logos.network.v1.Streams/*", "logos.network.v1.Discovery/LookUp"),
    issued_at_s=1_790_000_000,
    expires_at_s=1_790_000_600,
    proof_key=b"k" * 32,
)


def test_a_token_says_what_was_signed() -> None:
    token = sign(CLAIMS, KEY)

    assert len(token) <= MAX_TOKEN_BYTES
    assert verify(token, KEYS) == CLAIMS


@given(st.integers(0, 8 * len(sign(CLAIMS, KEY)) - 1))
def test_one_flipped_bit_makes_it_invalid(bit: int) -> None:
    token = bytearray(sign(CLAIMS, KEY))
    token[bit // 8] ^= 1 << bit % 8

    with pytest.raises(TokenInvalidError):
        verify(bytes(token), KEYS)


@given(st.binary(max_size=600))
def test_other_bytes_are_no_token(token: bytes) -> None:
    with pytest.raises(TokenInvalidError):
        verify(token, KEYS)


def test_another_kernels_token_is_refused() -> None:
    other = SigningKey(b"\x01" * 32)

    with pytest.raises(TokenInvalidError, match="does not have"):
        verify(sign(CLAIMS, other), KEYS)


def test_a_signature_of_the_claims_alone_is_refused() -> None:
    """Without the domain, another signature of the kernel might be taken for a token."""
    body = sign(CLAIMS, KEY)[SIGNATURE_BYTES:]

    with pytest.raises(TokenInvalidError, match="signature"):
        verify(KEY.sign(body).signature + body, KEYS)


def test_a_token_that_would_be_too_long_is_not_made() -> None:
    methods = tuple(f"logos.network.v1.Streams/Method{number}" for number in range(12))

    with pytest.raises(ValueError, match="too long"):
        sign(dataclasses.replace(CLAIMS, methods=methods), KEY)


@pytest.mark.parametrize(
    "changes",
    [{"token_id": b"t" * 15}, {"proof_key": b"k" * 31}],
)
def test_signed_claims_of_another_shape_are_refused(changes: dict[str, bytes]) -> None:
    token = sign(dataclasses.replace(CLAIMS, **changes), KEY)  # type: ignore[arg-type]

    with pytest.raises(TokenInvalidError, match="malformed"):
        verify(token, KEYS)
