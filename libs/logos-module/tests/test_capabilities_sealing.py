"""KER-22: a module's own key reaches that module alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.sealing import (
    SEALED_BYTES,
    SealBrokenError,
    purpose_key,
    seal,
    unseal,
)

KERNEL, WALLET, OTHER = (PrivateKey(bytes([n]) * 32) for n in (1, 2, 3))
KEY, NONCE = b"o" * 32, b"n" * 32
SEALED = seal(KERNEL, public_key_of(WALLET), NONCE, KEY)


def test_the_module_reads_it() -> None:
    assert len(SEALED) == SEALED_BYTES
    assert unseal(WALLET, public_key_of(KERNEL), NONCE, SEALED) == KEY


@pytest.mark.parametrize(
    ("own", "other", "nonce"),
    [(OTHER, KERNEL, NONCE), (WALLET, OTHER, NONCE), (WALLET, KERNEL, b"m" * 32)],
)
def test_nobody_else_and_not_at_another_registration(
    own: PrivateKey, other: PrivateKey, nonce: bytes
) -> None:
    with pytest.raises(SealBrokenError):
        unseal(own, public_key_of(other), nonce, SEALED)


@given(st.one_of(st.binary(max_size=64), st.integers(0, 8 * SEALED_BYTES - 1)))
def test_nothing_else_is_taken_for_it(change: bytes | int) -> None:
    sealed = change if isinstance(change, bytes) else _flipped(change)

    with pytest.raises(SealBrokenError):
        unseal(WALLET, public_key_of(KERNEL), NONCE, sealed)


def test_each_purpose_has_its_own() -> None:
    keys = {purpose_key(key, purpose) for key in (KEY, NONCE) for purpose in ("", "chat", "wallet")}

    assert len(keys) == 6


def _flipped(bit: int) -> bytes:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
