"""Integers and tags as field values: 32 bytes, little-endian (ZK-1, ZK-2)."""

from logos_crypto.hashes import FIELD_BYTES, MODULUS


def field_of(number: int) -> bytes:
    """Encodes an unsigned integer of at most 64 bits."""
    return number.to_bytes(8, "little") + bytes(FIELD_BYTES - 8)


def tag(text: bytes) -> bytes:
    """Encodes a domain separator: its ASCII bytes as a little-endian integer."""
    return text.ljust(FIELD_BYTES, b"\0")


def is_field(value: bytes) -> bool:
    """Says whether these are the 32 bytes of a value below p."""
    return len(value) == FIELD_BYTES and int.from_bytes(value, "little") < MODULUS
