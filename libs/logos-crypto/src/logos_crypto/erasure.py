"""Reed-Solomon shards as Leopard makes them.

Shards of one size, a multiple of 64 bytes. Leopard counts in a field of 256 elements: `counts_fit`
says how many shards that allows. Any so many shards as there are data shards give the data; that
a shard is the right one is the caller's to check, for a wrong one gives other data.

Source: catid/leopard; docs/adr/0032.
"""

from collections.abc import Sequence
from typing import Final

import logos_native

SHARD_UNIT_BYTES: Final = 64
MAX_SHARD_BYTES: Final = 1 << 20
FIELD: Final = 256


def counts_fit(data: int, parity: int) -> bool:
    """Says whether the field has room: parity <= data <= 256 - 2**k, where 2**k >= parity >= 1."""
    return 1 <= parity <= data and data + (1 << (parity - 1).bit_length()) <= FIELD


def parity_shards(data: Sequence[bytes], parity: int) -> list[bytes]:
    """Returns the parity shards of data shards.

    Raises:
        ValueError: The counts do not fit, or the sizes are unequal, no multiple of 64 bytes, or
            over 1 MiB.
    """
    return logos_native.leopard_encode(list(data), parity)


def data_shards(shards: Sequence[bytes | None], data: int) -> list[bytes]:
    """Returns the data shards, from data shards and then parity shards; None is missing.

    Raises:
        ValueError: As `parity_shards`, or fewer than `data` shards are there.
    """
    return logos_native.leopard_reconstruct(list(shards), data)


def end_of_padded(data: bytes, least: int, digest: bytes) -> int | None:
    """Returns where data ends that was padded with zeros, by its keccak-256.

    None if no end at or after `least` has that hash. Takes a microsecond for each zero at the end.
    """
    return logos_native.keccak256_end_of_padded(data, least, digest)
