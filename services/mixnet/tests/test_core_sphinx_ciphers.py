"""The native ciphers of packets against two others: the tests' decoder, and OpenSSL.

Rules: MIX-2, MIX-5.
"""

from collections.abc import Callable

import mix_oracle as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_variants import aes_ctr, lioness

from logos_crypto.sphinx import header_mac, header_stream, lioness_decrypt, lioness_encrypt
from logos_mixnet.core.sphinx.geometry import BETA_BYTES, HOP_BYTES, PAYLOAD_BYTES

MIN_BLOCK, MIN_SEED, SECRET = 64, 16, 32
SIZES = [64, 65, 79, 80, 95, 96, 97, 127, 128, 129, 4_095, 4_096, 4_097, PAYLOAD_BYTES]
"""Around the ends of AES blocks and of SHA-256's, with the 32 bytes on the left and without."""

Cipher = Callable[[bytes, bytes], bytes]

seeds = st.binary(min_size=MIN_SEED, max_size=80)
secrets = st.binary(min_size=SECRET, max_size=SECRET)
blocks = st.binary(min_size=MIN_BLOCK, max_size=1_024)


def filled(size: int) -> bytes:
    return bytes((7 * i + size) % 256 for i in range(size))


def agree(seed: bytes, block: bytes) -> None:
    """Three ciphers give the same, in both directions, and leave their arguments alone."""
    before = bytes(bytearray(block))
    encrypted, decrypted = lioness_encrypt(seed, block), lioness_decrypt(seed, block)
    assert encrypted == oracle.lioness_encrypt(seed, block) == lioness(seed).encrypt(block)
    assert decrypted == oracle.lioness_decrypt(seed, block) == lioness(seed).decrypt(block)
    assert lioness_decrypt(seed, encrypted) == lioness_encrypt(seed, decrypted) == block == before


@given(seeds, blocks)
def test_blocks_of_any_size_are_permuted_alike(seed: bytes, block: bytes) -> None:
    agree(seed, block)


@pytest.mark.parametrize("size", SIZES)
def test_sizes_at_the_edges_are_permuted_alike(size: int) -> None:
    for seed_size in (MIN_SEED, 32, 63, 64):
        agree(filled(seed_size), filled(size))


@settings(max_examples=25)
@given(seeds, st.integers(0, 8 * PAYLOAD_BYTES - 1))
def test_one_bit_changes_half_of_a_payload(seed: bytes, bit: int) -> None:
    """Of 31,872 bits, 50 % with a deviation of 0.28 %: six of them are allowed."""
    block = filled(PAYLOAD_BYTES)
    number = int.from_bytes(block, "little") ^ 1 << bit
    ours = int.from_bytes(lioness_decrypt(seed, block), "little")
    other = int.from_bytes(
        lioness_decrypt(seed, number.to_bytes(PAYLOAD_BYTES, "little")), "little"
    )

    share = (ours ^ other).bit_count() / (8 * PAYLOAD_BYTES)
    assert abs(share - 0.5) < 0.017


@given(secrets, st.binary(max_size=BETA_BYTES + HOP_BYTES))
def test_macs_and_streams_of_headers_are_alike(secret: bytes, data: bytes) -> None:
    key = oracle.kdf("mac_key", secret)[:16]
    assert header_mac(secret, data) == oracle.hmac_sha256(key, data)[:16]

    key, counter = oracle.kdf("aes_key", secret)[:16], oracle.kdf("iv", secret)[:16]
    assert header_stream(secret, data) == oracle.ctr(key, counter, data)
    assert header_stream(secret, data) == aes_ctr(key, counter, data)


@pytest.mark.parametrize("cipher", [lioness_encrypt, lioness_decrypt])
@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 63])
def test_what_is_no_block_is_refused(cipher: Cipher, size: int) -> None:
    with pytest.raises(ValueError, match=f"a block has at least 64 bytes, this has {size}$"):
        cipher(filled(MIN_SEED), filled(size))


@pytest.mark.parametrize("cipher", [lioness_encrypt, lioness_decrypt])
@pytest.mark.parametrize("size", [0, 1, 15])
def test_what_is_no_seed_is_refused(cipher: Cipher, size: int) -> None:
    with pytest.raises(ValueError, match=f"a seed has at least 16 bytes, this has {size}$"):
        cipher(filled(size), filled(MIN_BLOCK))


@pytest.mark.parametrize("keyed", [header_mac, header_stream])
@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_what_is_no_secret_is_refused(keyed: Cipher, size: int) -> None:
    with pytest.raises(ValueError, match=f"a secret has 32 bytes, this has {size}$"):
        keyed(filled(size), b"")


@given(st.binary(max_size=80), st.binary(max_size=300))
def test_junk_is_permuted_or_refused(seed: bytes, block: bytes) -> None:
    fits = len(seed) >= MIN_SEED and len(block) >= MIN_BLOCK
    for cipher in (lioness_encrypt, lioness_decrypt):
        if fits:
            assert len(cipher(seed, block)) == len(block)
        else:
            with pytest.raises(ValueError, match="has at least"):
                cipher(seed, block)


@pytest.mark.parametrize("other", ["text", None, 7, [1]])
def test_what_is_not_bytes_is_refused(other: object) -> None:
    """The native core takes bytes only: nobody can change them while it reads them."""
    for call in (lioness_encrypt, lioness_decrypt, header_stream, header_mac):
        with pytest.raises(TypeError):
            call(filled(SECRET), other)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            call(other, filled(MIN_BLOCK))  # type: ignore[arg-type]
