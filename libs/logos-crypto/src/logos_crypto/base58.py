"""Base58 with the Bitcoin alphabet, as in multibase `z` and peer ids.

Quadratic in the length, so callers must bound their input.

Source: multiformats/multibase, base58btc.
"""

from typing import Final

from logos_crypto.refusals import Base58Error

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}


def encode(raw: bytes) -> str:
    """Encodes bytes; every leading zero byte becomes a `1`."""
    digits: list[str] = []
    number = int.from_bytes(raw, "big")
    while number:
        number, value = divmod(number, 58)
        digits.append(_ALPHABET[value])
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def decode(text: str) -> bytes:
    """Decodes text.

    Raises:
        Base58Error: A character is not of the alphabet.
    """
    number = 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            raise Base58Error(f"not a base58 character: {character!r}")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
