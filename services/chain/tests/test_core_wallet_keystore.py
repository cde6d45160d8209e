"""Secrets at rest: sealed, opened, damaged, with the wrong passphrase (WAL-19, WAL-20)."""

import hashlib
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_chain.core.wallet.errors import (
    KeystoreDamagedError,
    KeystoreVersionError,
    PassphraseEmptyError,
    PassphraseWrongError,
    SecretTooLongError,
)
from logos_chain.core.wallet.keystore import MAX_SECRET_BYTES, USUAL, Cost, seal, unseal

CHEAP = Cost(log2_n=4, r=1, p=1)
SALT = bytes(range(16))
SECRET = b"sixteen of these"


def sealed(secret: bytes = SECRET, opened_by: str = "open", cost: Cost = CHEAP) -> bytes:
    return seal(secret, opened_by, salt=SALT, cost=cost)


def resummed(whole: bytes) -> bytes:
    """As someone would change a file who knows its form."""
    return whole + hashlib.blake2b(whole, digest_size=32).digest()


@settings(max_examples=50)
@given(
    st.binary(max_size=300), st.text(min_size=1, max_size=20), st.binary(min_size=16, max_size=16)
)
def test_what_is_sealed_is_opened(secret: bytes, passphrase: str, salt: bytes) -> None:
    assert unseal(seal(secret, passphrase, salt=salt, cost=CHEAP), passphrase) == secret


def test_the_form_does_not_change() -> None:
    raw = sealed()

    assert raw[:28].hex() == "4c4f474f534b4559" + "01" + "040101" + SALT.hex()
    assert len(raw) == 28 + 64 + 16 + 32
    assert hashlib.sha256(raw).hexdigest() == GOLDEN


GOLDEN = "286ad7fd156b32a9b0662db0311ee9abcc915fc33bfdd15cba50e285e463355e"


def test_the_usual_cost_is_paid() -> None:
    raw = sealed(cost=USUAL)

    assert unseal(raw, "open") == SECRET
    assert 128 * USUAL.r << USUAL.log2_n == 64 * 1024 * 1024


@pytest.mark.parametrize("size", [16, 32, 62])
def test_the_length_of_a_phrase_is_not_shown(size: int) -> None:
    assert len(sealed(bytes(size))) == len(sealed(b""))


def test_every_damaged_bit_is_told_from_a_wrong_passphrase() -> None:
    raw = sealed()

    for at in range(8 * len(raw)):
        damaged = bytearray(raw)
        damaged[at // 8] ^= 1 << at % 8
        with pytest.raises(KeystoreDamagedError):
            unseal(bytes(damaged), "open")


@pytest.mark.parametrize("size", [0, 7, 8, 40, 139])
def test_a_part_of_a_keystore_is_damaged(size: int) -> None:
    with pytest.raises(KeystoreDamagedError):
        unseal(sealed()[:size], "open")
    with pytest.raises(KeystoreDamagedError):
        unseal(resummed(sealed()[: min(size, 107)]), "open")


def test_more_than_a_keystore_is_damaged() -> None:
    with pytest.raises(KeystoreDamagedError):
        unseal(sealed() + b"\0", "open")
    with pytest.raises(KeystoreDamagedError):
        unseal(resummed(sealed() + bytes(9000)), "open")


def test_a_wrong_passphrase_is_told() -> None:
    for passphrase in ("Open", "open ", "x"):
        with pytest.raises(PassphraseWrongError):
            unseal(sealed(), passphrase)


def test_a_header_that_someone_has_changed_opens_nothing() -> None:
    whole = sealed()[:-32]

    for at, error in [
        (8, KeystoreVersionError),
        (9, PassphraseWrongError),
        (10, PassphraseWrongError),
        (12, PassphraseWrongError),
        (60, PassphraseWrongError),
    ]:
        changed = whole[:at] + bytes([whole[at] + 1]) + whole[at + 1 :]
        with pytest.raises(error):
            unseal(resummed(changed), "open")


@pytest.mark.parametrize(
    "cost",
    [(0, 8, 1), (19, 8, 1), (16, 9, 1), (16, 0, 1), (16, 8, 5), (16, 8, 0), (16, 1, 1)],
)
def test_a_cost_beyond_bounds_is_not_paid(cost: tuple[int, int, int]) -> None:
    whole = sealed()[:-32]

    with pytest.raises(KeystoreVersionError):
        unseal(resummed(whole[:9] + bytes(cost) + whole[12:]), "open")


def test_a_passphrase_is_taken_in_one_form() -> None:
    assert unseal(sealed(opened_by="caf\u00e9"), "cafe\u0301") == SECRET


def test_what_cannot_be_sealed_is_refused() -> None:
    with pytest.raises(PassphraseEmptyError):
        sealed(opened_by="")
    with pytest.raises(PassphraseEmptyError):
        unseal(sealed(), "")
    with pytest.raises(SecretTooLongError):
        sealed(bytes(MAX_SECRET_BYTES + 1))
    with pytest.raises(ValueError, match="salt"):
        seal(SECRET, "open", salt=b"", cost=CHEAP)
    assert unseal(sealed(bytes(MAX_SECRET_BYTES)), "open") == bytes(MAX_SECRET_BYTES)


def test_errors_hold_no_secret() -> None:
    with pytest.raises(PassphraseWrongError) as caught:
        unseal(sealed(), "my guess")

    shown = "".join(traceback.format_exception(caught.value))
    assert "my guess" not in shown.replace('unseal(sealed(), "my guess")', "")
    assert caught.value.__cause__ is None
