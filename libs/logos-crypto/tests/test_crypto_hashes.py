import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto.hashes import FIELD_BYTES, MODULUS, keccak256
from logos_crypto.rln import signal_x


@pytest.mark.vectors
@pytest.mark.parametrize(
    ("text", "digest"),
    [  # Ethereum's empty hash, and the id of ERC-20's transfer
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (
            b"Transfer(address,address,uint256)",
            "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
        ),
    ],
)
def test_keccak_is_that_of_ethereum(text: bytes, digest: str) -> None:
    assert keccak256(text).hex() == digest


# A block of Keccak has 136 bytes: the padding is tried where it just fits, and where it does not.
@given(st.binary(max_size=300) | st.sampled_from([135, 136, 137, 271, 272]).map(bytes))
def test_the_value_of_a_signal_is_its_keccak_in_the_field(signal: bytes) -> None:
    value = int.from_bytes(keccak256(signal), "little") % MODULUS

    assert signal_x(signal) == value.to_bytes(FIELD_BYTES, "little")
