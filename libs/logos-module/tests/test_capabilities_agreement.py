"""X25519 and HKDF-SHA256, with the vectors of their RFCs."""

import pytest
from nacl.public import PrivateKey

from logos_module.capabilities.agreement import derived_key, exchange, public_key_of

ALICE = PrivateKey(
    bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
)
BOB = PrivateKey(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
PRIME = 2**255 - 19


def test_agrees_with_rfc_7748() -> None:
    """RFC 7748 §6.1."""
    agreed = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"

    assert exchange(ALICE, public_key_of(BOB)).hex() == agreed
    assert exchange(BOB, public_key_of(ALICE)).hex() == agreed


@pytest.mark.parametrize("number", [0, 1, PRIME - 1, PRIME, PRIME + 1])
def test_a_point_of_small_order_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="small order"):
        exchange(ALICE, number.to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        exchange(ALICE, b"k" * size)


@pytest.mark.parametrize(
    ("salt", "info", "derived"),
    [
        (
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        ),
        (b"", b"", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"),
    ],
    ids=["A.1", "A.3"],
)
def test_agrees_with_rfc_5869(salt: bytes, info: bytes, derived: str) -> None:
    """RFC 5869 A.1 and A.3: the first 32 bytes."""
    assert derived_key(b"\x0b" * 22, info, salt).hex() == derived
