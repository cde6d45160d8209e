"""Phrases of words, from entropy and to a seed.

Spec: docs/protocol/chain-wallet.md, WAL-1 to WAL-3. Source: BIP-39.
"""

import hashlib
from typing import Final
from unicodedata import normalize

from logos_chain.core.wallet.english import ENGLISH
from logos_chain.core.wallet.errors import (
    EntropyLengthError,
    PhraseChecksumError,
    PhraseLengthError,
    PhraseWordError,
)

ENTROPY_BYTES: Final = (16, 20, 24, 28, 32)
PHRASE_WORDS: Final = (12, 15, 18, 21, 24)
SEED_BYTES: Final = 64
MAX_PHRASE_CHARACTERS: Final = 1024
"""Far above any phrase's: bounds what is looked at."""

_ROUNDS: Final = 2048
_WORD_BITS: Final = 11
_PLACES: Final = {word: place for place, word in enumerate(ENGLISH)}


def phrase_of(entropy: bytes) -> str:
    """Returns the phrase of entropy, 12 to 24 words with spaces between (WAL-1).

    Args:
        entropy: 16, 20, 24, 28 or 32 bytes, uniformly random.

    Raises:
        EntropyLengthError: It has another length.
    """
    if len(entropy) not in ENTROPY_BYTES:
        raise EntropyLengthError(f"{len(entropy)} bytes of entropy, {ENTROPY_BYTES} make a phrase")
    check_bits = len(entropy) // 4
    bits = int.from_bytes(entropy, "big") << check_bits | _check(entropy, check_bits)
    count = (8 * len(entropy) + check_bits) // _WORD_BITS
    places = [bits >> _WORD_BITS * at & 2047 for at in reversed(range(count))]
    return " ".join([ENGLISH[place] for place in places])


def entropy_of(phrase: str) -> bytes:
    """Returns the entropy of a phrase, 16 to 32 bytes (WAL-2).

    Args:
        phrase: Words, separated by any white space, of any case.

    Raises:
        PhraseLengthError: It has no number of words that a phrase has.
        PhraseWordError: A word is not in the list; the text says which by its place.
        PhraseChecksumError: The words do not belong together.
    """
    words = _words(phrase)
    if len(words) not in PHRASE_WORDS:
        raise PhraseLengthError(f"{len(words)} words, a phrase has one of {PHRASE_WORDS}")
    bits = 0
    for at, word in enumerate(words, 1):
        if word not in _PLACES:
            raise PhraseWordError(f"word {at} is not in the list")
        bits = bits << _WORD_BITS | _PLACES[word]
    check_bits = len(words) // 3
    entropy = (bits >> check_bits).to_bytes(4 * check_bits, "big")
    if bits & (1 << check_bits) - 1 != _check(entropy, check_bits):
        raise PhraseChecksumError("the words do not belong together: one is wrong or misplaced")
    return entropy


def seed_of(phrase: str, passphrase: str = "") -> bytes:
    """Returns the seed of a phrase, 64 bytes (WAL-3); takes some milliseconds.

    Args:
        phrase: As for `entropy_of`, and raises what it does.
        passphrase: Any; another one gives another wallet, so a wrong one is not noticed.
    """
    entropy_of(phrase)
    salt = normalize("NFKD", "mnemonic" + passphrase).encode()
    return hashlib.pbkdf2_hmac("sha512", " ".join(_words(phrase)).encode(), salt, _ROUNDS)


def _words(phrase: str) -> list[str]:
    if len(phrase) > MAX_PHRASE_CHARACTERS:
        raise PhraseLengthError(f"{len(phrase)} characters, at most {MAX_PHRASE_CHARACTERS}")
    return normalize("NFKD", phrase).lower().split()


def _check(entropy: bytes, bits: int) -> int:
    return hashlib.sha256(entropy).digest()[0] >> 8 - bits
