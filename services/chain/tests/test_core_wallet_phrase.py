"""Phrases of words: BIP-39's vectors, and what is no phrase (WAL-1 to WAL-3)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.wallet.english import ENGLISH
from logos_chain.core.wallet.errors import (
    EntropyLengthError,
    PhraseChecksumError,
    PhraseLengthError,
    PhraseWordError,
)
from logos_chain.core.wallet.phrase import ENTROPY_BYTES, entropy_of, phrase_of, seed_of

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/bip-39/english.json").read_text(encoding="utf-8")
)
ZEROS = "abandon " * 11 + "about"


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_agrees_with_bip_39(case: dict[str, Any]) -> None:
    entropy = bytes.fromhex(case["entropy"])

    assert phrase_of(entropy) == case["phrase"]
    assert entropy_of(case["phrase"]) == entropy
    assert seed_of(case["phrase"], VECTORS["passphrase"]).hex() == case["seed"]


@pytest.mark.vectors
def test_the_words_are_the_published_ones() -> None:
    published = "".join(f"{word}\n" for word in ENGLISH).encode()

    assert hashlib.sha256(published).hexdigest() == (
        "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    )
    assert len({word[:4] for word in ENGLISH}) == 2048


@given(st.sampled_from(ENTROPY_BYTES).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_entropy_survives_its_phrase(entropy: bytes) -> None:
    assert entropy_of(phrase_of(entropy)) == entropy


@pytest.mark.parametrize("size", [0, 15, 17, 33, 64])
def test_entropy_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(EntropyLengthError):
        phrase_of(bytes(size))


@pytest.mark.parametrize(
    ("phrase", "error"),
    [
        ("", PhraseLengthError),
        ("abandon " * 11, PhraseLengthError),
        ("abandon " * 13, PhraseLengthError),
        ("a" * 1025, PhraseLengthError),
        ("abandon " * 11 + "abandon", PhraseChecksumError),
        ("about " + "abandon " * 11, PhraseChecksumError),
        ("abandon " * 11 + "abuot", PhraseWordError),
    ],
)
def test_what_is_no_phrase_is_told(phrase: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        entropy_of(phrase)
    with pytest.raises(error):
        seed_of(phrase)


def test_an_error_names_the_place_and_not_the_word() -> None:
    with pytest.raises(PhraseWordError) as caught:
        entropy_of("abandon " * 10 + "sekret about")

    assert "word 11" in str(caught.value)
    assert "sekret" not in str(caught.value)


def test_spaces_and_case_do_not_matter() -> None:
    assert seed_of("  " + ZEROS.upper().replace(" ", "\n\t")) == seed_of(ZEROS)


def test_a_passphrase_is_taken_in_one_form() -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"

    assert seed_of(ZEROS, composed) == seed_of(ZEROS, apart)
    assert seed_of(ZEROS, composed) != seed_of(ZEROS)
