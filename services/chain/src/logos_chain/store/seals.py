"""Seals of rows that stand for themselves: a bit that has changed is seen. Pure.

Spec: docs/protocol/chain-store.md, CHS-15.
"""

from hashlib import blake2b
from typing import Final

from logos_chain.core.ports import ChainStoreDamagedError

SEAL_BYTES: Final = 8
_ABSENT: Final = b"\xff" * 8
"""Where the size of a column stands: none has as many bytes."""


def seal_of(table: str, *columns: bytes | None) -> bytes:
    """Returns the seal of a row, 8 bytes.

    Args:
        table: Its name, at most 16 characters: a row of another table has another seal.
        columns: All others, in their order.
    """
    hashed = blake2b(digest_size=SEAL_BYTES, person=table.encode())
    for each in columns:
        hashed.update(_ABSENT if each is None else len(each).to_bytes(8, "big"))
        hashed.update(each or b"")
    return hashed.digest()


def check_seal(seal: object, table: str, *columns: bytes | None) -> None:
    """Raises `ChainStoreDamagedError` unless a row is the one that was written."""
    if seal != seal_of(table, *columns):
        raise ChainStoreDamagedError(f"a row of {table} is not the one that was written")
