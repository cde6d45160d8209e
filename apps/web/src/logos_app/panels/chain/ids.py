"""Ids and heights as people type them. Pure."""

import re
from typing import Final

ID_DIGITS: Final = 64
MAX_U64: Final = 2**64 - 1
_ID: Final = re.compile(rf"(?:0x)?([0-9a-f]{{{ID_DIGITS}}})", re.IGNORECASE | re.ASCII)
_NUMBER: Final = re.compile(r"[0-9][0-9,]{0,39}", re.ASCII)


def id_of(text: str) -> bytes | None:
    """An id of 32 bytes from 64 hexadecimal digits, with or without 0x; None of anything else."""
    found = _ID.fullmatch(text.strip())
    return None if found is None else bytes.fromhex(found[1])


def number_of(text: str) -> int | None:
    """A whole number of 64 bits, with or without commas; None of anything else."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    value = int(found[0].replace(",", ""))
    return value if value <= MAX_U64 else None
